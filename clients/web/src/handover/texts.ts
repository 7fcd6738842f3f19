import { primary } from "../i18n/i18n";

interface HandOverTexts {
  title: string;
  connecting: string;
  messaging: string;
  messages: string;
  write: string;
  send: string;
  notSent: string;
  retry: string;
  signIn: string;
  noEmail: string;
  unavailable: string;
  off: string;
}

const table: Record<string, HandOverTexts> = {
  en: {
    title: "Support chat",
    connecting: "Connecting…",
    messaging: "You are signed in. The chat is open in the corner.",
    messages: "Messages",
    write: "Write a message",
    send: "Send",
    notSent: "Not sent. Please try again.",
    retry: "Try again",
    signIn: "Please sign in first, then open the chat again.",
    noEmail: "Your account has no confirmed e-mail address, which this chat needs.",
    unavailable: "The chat cannot be reached. Check your connection or content blocker.",
    off: "This chat is not set up.",
  },
  ja: {
    title: "サポートチャット",
    connecting: "接続しています…",
    messaging: "ログインしました。画面の隅でチャットが開いています。",
    messages: "メッセージ",
    write: "メッセージを入力",
    send: "送信",
    notSent: "送信できませんでした。もう一度お試しください。",
    retry: "再試行",
    signIn: "ログインしてから、もう一度チャットを開いてください。",
    noEmail: "このチャットには、確認済みのメールアドレスが必要です。",
    unavailable: "チャットに接続できません。通信環境またはコンテンツブロッカーをご確認ください。",
    off: "このチャットは設定されていません。",
  },
  zh: {
    title: "客服聊天",
    connecting: "正在连接…",
    messaging: "您已登录，聊天已在页面角落打开。",
    messages: "消息",
    write: "输入消息",
    send: "发送",
    notSent: "未发送，请重试。",
    retry: "重试",
    signIn: "请先登录，然后重新打开聊天。",
    noEmail: "此聊天需要已验证的电子邮箱，而您的账户没有。",
    unavailable: "无法连接聊天。请检查网络或内容拦截工具。",
    off: "此聊天尚未设置。",
  },
  ru: {
    title: "Чат поддержки",
    connecting: "Соединение…",
    messaging: "Вход выполнен. Чат открыт в углу страницы.",
    messages: "Сообщения",
    write: "Напишите сообщение",
    send: "Отправить",
    notSent: "Не отправлено. Попробуйте ещё раз.",
    retry: "Повторить",
    signIn: "Сначала войдите в систему, затем снова откройте чат.",
    noEmail: "Этому чату нужна подтверждённая эл. почта, а у вашей учётной записи её нет.",
    unavailable: "Чат недоступен. Проверьте соединение и блокировщики.",
    off: "Этот чат не настроен.",
  },
};

/** The texts for the first of the languages that there are any for, else English. */
export function handOverTexts(tags: readonly string[]): { t: HandOverTexts; lang: string } {
  for (const tag of tags) {
    const texts = table[primary(tag)];
    if (texts) return { t: texts, lang: tag };
  }
  return { t: table.en as HandOverTexts, lang: "en" };
}
