import { primary } from "../i18n/i18n";
import type { CalendarProblem } from "./calendar";

export interface CalendarTexts extends Record<CalendarProblem, string> {
  title: string;
  none: string;
  connected: string;
  revoked: string;
  leaving: string;
  noneLong: string;
  /** Before the calendar's name. */
  connectedLong: string;
  yours: string;
  since: string;
  revokedLong: string;
  leavingLong: string;
  connect: string;
  again: string;
  consenting: string;
  disconnect: string;
  disconnectAsk: string;
  disconnectYes: string;
  cancel: string;
  feed: string;
  feedHelp: string;
  selected: string;
  newFeed: string;
  newFeedAsk: string;
  newFeedYes: string;
  newFeedDone: string;
}

const en: CalendarTexts = {
  title: "Calendar",
  none: "not connected",
  connected: "connected",
  revoked: "connect again",
  leaving: "disconnecting…",
  noneLong: "Your open tasks with a due date can stand in your own calendar.",
  connectedLong: "Your open tasks with a due date stand in:",
  yours: "your calendar",
  since: "since {date}",
  revokedLong:
    "Your calendar said no: the permission was withdrawn. Connect again, and your tasks come back.",
  leavingLong: "Your tasks are being taken out of the calendar. This takes some minutes.",
  connect: "Connect a calendar",
  again: "Connect again",
  consenting: "Go on in the window that has opened, then close it.",
  disconnect: "Disconnect",
  disconnectAsk: "Disconnect? The tasks of today and later go from your calendar.",
  disconnectYes: "Yes, disconnect",
  cancel: "Cancel",
  feed: "Feed address",
  feedHelp:
    "For calendar programs that subscribe to an address. Whoever has it can read your tasks: share it with nobody.",
  selected: "Selected: copy it with your keyboard.",
  newFeed: "New address",
  newFeedAsk:
    "Make a new address? The old one stops working at once in every program that uses it.",
  newFeedYes: "Yes, make a new one",
  newFeedDone: "This is the new address. Give it to your calendar programs.",
  blocked: "Your browser blocked the window. Allow pop-ups here, then try again.",
  offline: "No answer came. Check your connection, then try again.",
  busy: "The service is busy. Try again in a moment.",
  signedOut: "Your sign-in is over. Reload the ticket, then try again.",
  failed: "That did not work. If it happens again, tell your administrator.",
};

/** All languages, by the first part of their tag. */
export const table: Record<string, CalendarTexts> = {
  en,
  ja: {
    title: "カレンダー",
    none: "未接続",
    connected: "接続済み",
    revoked: "再接続が必要です",
    leaving: "接続を解除しています…",
    noneLong: "期限のある未完了タスクを、ご自分のカレンダーに表示できます。",
    connectedLong: "期限のある未完了タスクの表示先：",
    yours: "ご自分のカレンダー",
    since: "{date} から",
    revokedLong:
      "カレンダーに拒否されました。許可が取り消されています。再接続すると、タスクが元どおり表示されます。",
    leavingLong: "タスクをカレンダーから削除しています。数分かかります。",
    connect: "カレンダーを接続",
    again: "再接続",
    consenting: "開いたウィンドウで手続きを進め、終わったら閉じてください。",
    disconnect: "接続を解除",
    disconnectAsk: "接続を解除しますか。今日以降のタスクがカレンダーから消えます。",
    disconnectYes: "はい、解除します",
    cancel: "キャンセル",
    feed: "フィードのアドレス",
    feedHelp:
      "アドレスを購読するカレンダーソフト用です。このアドレスを知っている人は誰でもあなたのタスクを読めます。誰にも教えないでください。",
    selected: "選択しました。キーボードでコピーしてください。",
    newFeed: "新しいアドレス",
    newFeedAsk:
      "新しいアドレスを作成しますか。古いアドレスは、使用中のすべてのソフトですぐに無効になります。",
    newFeedYes: "はい、作成します",
    newFeedDone: "これが新しいアドレスです。お使いのカレンダーソフトに設定してください。",
    blocked:
      "ブラウザーがウィンドウをブロックしました。ここでのポップアップを許可してから、再試行してください。",
    offline: "応答がありません。接続を確認してから、再試行してください。",
    busy: "サービスが混み合っています。しばらくしてから再試行してください。",
    signedOut: "ログインの有効期限が切れました。チケットを再読み込みしてから、再試行してください。",
    failed: "処理できませんでした。繰り返し起こる場合は、管理者に連絡してください。",
  },
  zh: {
    title: "日历",
    none: "未连接",
    connected: "已连接",
    revoked: "需要重新连接",
    leaving: "正在断开…",
    noneLong: "您未完成且有截止日期的任务可以显示在您自己的日历中。",
    connectedLong: "您未完成且有截止日期的任务显示在：",
    yours: "您的日历",
    since: "自 {date} 起",
    revokedLong: "您的日历拒绝了访问：授权已被撤销。重新连接后，任务会恢复显示。",
    leavingLong: "正在从日历中移除您的任务，需要几分钟。",
    connect: "连接日历",
    again: "重新连接",
    consenting: "请在打开的窗口中继续，完成后关闭该窗口。",
    disconnect: "断开连接",
    disconnectAsk: "要断开连接吗？今天及以后的任务将从您的日历中消失。",
    disconnectYes: "是，断开连接",
    cancel: "取消",
    feed: "订阅地址",
    feedHelp: "供可订阅地址的日历程序使用。知道该地址的人都能看到您的任务，请勿告诉任何人。",
    selected: "已选中，请用键盘复制。",
    newFeed: "新地址",
    newFeedAsk: "要生成新地址吗？旧地址在所有使用它的程序中将立即失效。",
    newFeedYes: "是，生成新地址",
    newFeedDone: "这是新地址，请填入您的日历程序。",
    blocked: "浏览器拦截了窗口。请允许此处弹出窗口，然后重试。",
    offline: "没有收到响应。请检查网络，然后重试。",
    busy: "服务繁忙，请稍后重试。",
    signedOut: "您的登录已失效。请重新加载工单，然后重试。",
    failed: "操作未成功。如再次发生，请告知管理员。",
  },
  ru: {
    title: "Календарь",
    none: "не подключён",
    connected: "подключён",
    revoked: "подключите снова",
    leaving: "отключается…",
    noneLong: "Ваши открытые задачи со сроком могут быть в вашем собственном календаре.",
    connectedLong: "Ваши открытые задачи со сроком показываются здесь:",
    yours: "ваш календарь",
    since: "с {date}",
    revokedLong:
      "Календарь ответил отказом: разрешение отозвано. Подключите его снова, и задачи вернутся.",
    leavingLong: "Задачи удаляются из календаря. Это займёт несколько минут.",
    connect: "Подключить календарь",
    again: "Подключить снова",
    consenting: "Продолжите в открывшемся окне, затем закройте его.",
    disconnect: "Отключить",
    disconnectAsk: "Отключить? Сегодняшние и будущие задачи исчезнут из календаря.",
    disconnectYes: "Да, отключить",
    cancel: "Отмена",
    feed: "Адрес подписки",
    feedHelp:
      "Для календарных программ с подпиской по адресу. Кто знает адрес, видит ваши задачи: никому его не сообщайте.",
    selected: "Выделено: скопируйте с клавиатуры.",
    newFeed: "Новый адрес",
    newFeedAsk:
      "Создать новый адрес? Старый сразу перестанет работать во всех программах, где он используется.",
    newFeedYes: "Да, создать новый",
    newFeedDone: "Это новый адрес. Укажите его в календарных программах.",
    blocked: "Браузер заблокировал окно. Разрешите здесь всплывающие окна и повторите.",
    offline: "Ответа нет. Проверьте соединение и повторите.",
    busy: "Служба перегружена. Повторите чуть позже.",
    signedOut: "Срок входа истёк. Обновите тикет и повторите.",
    failed: "Не получилось. Если это повторится, сообщите администратору.",
  },
};

export function calendarTexts(lang: string): CalendarTexts {
  return table[primary(lang)] ?? en;
}
