export interface PanelTexts {
  /** Of a customer, in two or three words; the long forms stand in the details. */
  guestShort: string;
  emailShort: string;
  verifiedShort: string;
  // Why there is no chat to see
  deleted: string;
  ended: string;
  nobody: string;
  /** {name}: whose ticket it is. */
  somebody: string;
  opening: string;
  /** The room does not exist. */
  destroyed: string;
  /** The room exists, and its owner is not let in. {room}: its group id. */
  shut: string;
  // The agent's chats
  chats: string;
  noChats: string;
  /** {time}: how long ago, such as "3 minutes ago". */
  waitsSince: string;
  // Ready-made answers
  find: string;
  none: string;
  noMatch: string;
  notRead: string;
  notFilled: string;
}

const en: PanelTexts = {
  guestShort: "Guest, not verified",
  emailShort: "Address not verified",
  verifiedShort: "Verified",
  deleted: "This ticket was deleted, and its chat is closed.",
  ended: "This ticket has ended, and so has its chat. The transcript is on the ticket.",
  nobody: "Nobody has this ticket. Assign it to yourself, and its chat opens within seconds.",
  somebody:
    "{name} has this ticket and its chat. Assign it to yourself, and the chat opens within seconds.",
  opening: "The ticket is yours. Its chat opens within seconds…",
  destroyed:
    "The ticket is yours, but its room is gone: somebody removed it at the chat. The ticket's next change makes it again, without the messages.",
  shut: "The ticket is yours and room {room} exists, but you are not let in. Either the desk's notifications do not arrive, or the room belongs to another desk. An administrator sees which with: caseroom room show {room}",
  chats: "Your chats",
  noChats: "You have no open chats.",
  waitsSince: "Waits for an answer, {time}",
  find: "Find a reply",
  none: "The desk has no ready-made answers.",
  noMatch: "No reply has these words.",
  notRead: "The desk's ready-made answers could not be read.",
  notFilled: "The desk did not fill in this reply. Try again.",
};

const table: Record<string, PanelTexts> = {
  ja: {
    guestShort: "ゲスト（未確認）",
    emailShort: "メール未確認",
    verifiedShort: "本人確認済み",
    deleted: "このチケットは削除され、チャットは終了しました。",
    ended: "このチケットは終了し、チャットも終了しました。会話の記録はチケットにあります。",
    nobody: "このチケットには担当者がいません。自分に割り当てると、数秒でチャットが開きます。",
    somebody:
      "このチケットとチャットの担当者は {name} です。自分に割り当てると、数秒でチャットが開きます。",
    opening: "あなたのチケットです。数秒でチャットが開きます…",
    destroyed:
      "あなたのチケットですが、チャット側でルームが削除されています。チケットが次に変更されると、メッセージのない新しいルームが作られます。",
    shut: "あなたのチケットで、ルーム {room} もありますが、参加できていません。デスクの通知が届いていないか、ルームが別のデスクのものです。管理者は次のコマンドで確認できます: caseroom room show {room}",
    chats: "担当中のチャット",
    noChats: "担当中のチャットはありません。",
    waitsSince: "{time}から待機中",
    find: "定型文を検索",
    none: "デスクに定型文がありません。",
    noMatch: "この語を含む定型文はありません。",
    notRead: "デスクの定型文を読み込めませんでした。",
    notFilled: "デスクが定型文を完成できませんでした。もう一度お試しください。",
  },
  zh: {
    guestShort: "访客，未验证",
    emailShort: "邮箱未验证",
    verifiedShort: "已验证",
    deleted: "此工单已删除，聊天已关闭。",
    ended: "此工单已结束，聊天也已结束。聊天记录附在工单上。",
    nobody: "此工单无人受理。将其分配给自己，聊天会在几秒内打开。",
    somebody: "此工单及其聊天由 {name} 受理。将工单分配给自己，聊天会在几秒内打开。",
    opening: "此工单由您受理，聊天会在几秒内打开…",
    destroyed:
      "此工单由您受理，但聊天室已在聊天服务中被删除。工单下次变更时会重新创建，原有消息不会恢复。",
    shut: "此工单由您受理，聊天室 {room} 也存在，但您未能进入。可能是工作台的通知没有送达，也可能聊天室属于另一个工作台。管理员可用以下命令查看：caseroom room show {room}",
    chats: "您的聊天",
    noChats: "您没有进行中的聊天。",
    waitsSince: "{time}开始等待",
    find: "查找快捷回复",
    none: "工作台没有快捷回复。",
    noMatch: "没有包含这些字词的回复。",
    notRead: "无法读取工作台的快捷回复。",
    notFilled: "工作台未能填写此回复。请重试。",
  },
  ru: {
    guestShort: "Гость, не проверен",
    emailShort: "Адрес не проверен",
    verifiedShort: "Проверен",
    deleted: "Этот тикет удалён, и его чат закрыт.",
    ended: "Тикет завершён, и его чат тоже. Запись беседы лежит в тикете.",
    nobody:
      "Этот тикет никому не назначен. Назначьте его себе, и чат откроется через несколько секунд.",
    somebody:
      "Этот тикет и его чат у {name}. Назначьте тикет себе, и чат откроется через несколько секунд.",
    opening: "Тикет ваш. Чат откроется через несколько секунд…",
    destroyed:
      "Тикет ваш, но его комнаты больше нет: её удалили в чате. При следующем изменении тикета она появится снова, без сообщений.",
    shut: "Тикет ваш, и комната {room} есть, но вас в неё не впустили. Либо не доходят уведомления рабочего места, либо комната принадлежит другому. Администратор увидит это командой: caseroom room show {room}",
    chats: "Ваши чаты",
    noChats: "Открытых чатов нет.",
    waitsSince: "Ждёт ответа, {time}",
    find: "Найти ответ",
    none: "На рабочем месте нет готовых ответов.",
    noMatch: "Нет ответа с такими словами.",
    notRead: "Не удалось прочитать готовые ответы.",
    notFilled: "Рабочее место не заполнило этот ответ. Повторите.",
  },
};

export function panelTexts(lang: string): PanelTexts {
  return table[lang.toLowerCase().split("-")[0] ?? ""] ?? en;
}
