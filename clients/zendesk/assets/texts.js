// The admin page's words, by the language of who looks at it.

export const en = {
  title: "caseroom and Zendesk",
  lead: "caseroom hears of changes to tickets from Zendesk Integration Services. Only an admin can connect the two, here.",
  onlyAdmins: "Only admins can see and change this connection. Ask one to open this page.",
  outside: "This page works inside Zendesk only.",
  setUp: "Set up", name: "Integration name",
  bearer: "Bearer", bearerHelp: "One of the bearers in caseroom's secret caseroom/zendesk-events. It is kept in Zendesk's connection only.",
  noBearer: "Enter the bearer.",
  register: "Register the integration", connect: "Store the bearer", upload: "Upload the flow", install: "Start listening", check: "Check",
  done: "done", running: "running", waiting: "waiting", failed: "failed",
  health: "Health", lookAgain: "Look again", uninstall: "Stop listening",
  sure: "Stop hearing of changes from this account? Rooms then follow their tickets more slowly.", yes: "Stop", no: "Cancel",
  api: "caseroom's API answers", registered: "The integration is registered", connected: "The bearer is stored",
  installed: "Listening to changes", webhook: "Webhook",
  good: "yes", bad: "no", none: "none", active: "active", inactive: "not active",
  allDone: "caseroom now hears of changes.", stopped: "caseroom no longer hears of changes through this integration.",
  nameTaken: "Another Zendesk account has this name. Make the app again with --integration and another one.",
  notAdmin: "Zendesk refused: this takes an admin.", notThere: "Zendesk knows no such integration. Register it first.",
  busy: "Zendesk is busy. Try again in a minute.", refused: "Zendesk refused this.", offline: "Zendesk did not answer. Check the connection and try again.",
};

export const ja = {
  title: "caseroom と Zendesk",
  lead: "caseroom はチケットの変更を Zendesk Integration Services から受け取ります。接続できるのは管理者だけで、このページで行います。",
  onlyAdmins: "この接続を見たり変えたりできるのは管理者だけです。管理者にこのページを開いてもらってください。",
  outside: "このページは Zendesk の中でのみ動きます。",
  setUp: "設定する", name: "連携の名前",
  bearer: "ベアラー", bearerHelp: "caseroom のシークレット caseroom/zendesk-events にあるベアラーの一つ。Zendesk の接続だけに保存されます。",
  noBearer: "ベアラーを入力してください。",
  register: "連携を登録する", connect: "ベアラーを保存する", upload: "フローをアップロードする", install: "受信を始める", check: "確認する",
  done: "完了", running: "実行中", waiting: "待機中", failed: "失敗",
  health: "状態", lookAgain: "もう一度確認", uninstall: "受信をやめる",
  sure: "このアカウントの変更の受信をやめますか。ルームがチケットに追いつくのが遅くなります。", yes: "やめる", no: "キャンセル",
  api: "caseroom の API が応答する", registered: "連携が登録されている", connected: "ベアラーが保存されている",
  installed: "変更を受信している", webhook: "Webhook",
  good: "はい", bad: "いいえ", none: "なし", active: "有効", inactive: "無効",
  allDone: "caseroom は変更を受け取るようになりました。", stopped: "caseroom はこの連携から変更を受け取らなくなりました。",
  nameTaken: "この名前は別の Zendesk アカウントが使っています。--integration に別の名前を付けてアプリを作り直してください。",
  notAdmin: "Zendesk に拒否されました。管理者が必要です。", notThere: "その連携は Zendesk にありません。先に登録してください。",
  busy: "Zendesk が混み合っています。1 分後にやり直してください。", refused: "Zendesk に拒否されました。", offline: "Zendesk が応答しません。接続を確認してやり直してください。",
};

export const zh = {
  title: "caseroom 与 Zendesk",
  lead: "caseroom 通过 Zendesk Integration Services 得知工单的变化。只有管理员能在此建立连接。",
  onlyAdmins: "只有管理员能查看和更改此连接。请让管理员打开此页面。",
  outside: "此页面只能在 Zendesk 中使用。",
  setUp: "设置", name: "集成名称",
  bearer: "Bearer 令牌", bearerHelp: "caseroom 的密钥 caseroom/zendesk-events 中的一个令牌。它只保存在 Zendesk 的连接中。",
  noBearer: "请输入令牌。",
  register: "注册集成", connect: "保存令牌", upload: "上传流程", install: "开始接收", check: "检查",
  done: "完成", running: "进行中", waiting: "等待中", failed: "失败",
  health: "状态", lookAgain: "再次检查", uninstall: "停止接收",
  sure: "要停止接收此账户的变化吗？聊天室将较慢地跟上工单。", yes: "停止", no: "取消",
  api: "caseroom 的 API 有响应", registered: "集成已注册", connected: "令牌已保存",
  installed: "正在接收变化", webhook: "Webhook",
  good: "是", bad: "否", none: "无", active: "启用", inactive: "未启用",
  allDone: "caseroom 现在会得知变化。", stopped: "caseroom 不再通过此集成得知变化。",
  nameTaken: "另一个 Zendesk 账户已使用此名称。请用 --integration 换一个名称重新生成应用。",
  notAdmin: "Zendesk 拒绝了：需要管理员。", notThere: "Zendesk 中没有此集成。请先注册。",
  busy: "Zendesk 正忙。请一分钟后再试。", refused: "Zendesk 拒绝了此操作。", offline: "Zendesk 没有响应。请检查连接后重试。",
};

export const ru = {
  title: "caseroom и Zendesk",
  lead: "caseroom узнаёт об изменениях тикетов из Zendesk Integration Services. Связать их может только администратор, на этой странице.",
  onlyAdmins: "Видеть и менять эту связь могут только администраторы. Попросите администратора открыть эту страницу.",
  outside: "Эта страница работает только внутри Zendesk.",
  setUp: "Настроить", name: "Имя интеграции",
  bearer: "Токен", bearerHelp: "Один из токенов (bearers) секрета caseroom/zendesk-events. Он хранится только в соединении Zendesk.",
  noBearer: "Введите токен.",
  register: "Зарегистрировать интеграцию", connect: "Сохранить токен", upload: "Загрузить поток", install: "Начать слушать", check: "Проверить",
  done: "готово", running: "выполняется", waiting: "ожидает", failed: "ошибка",
  health: "Состояние", lookAgain: "Проверить снова", uninstall: "Перестать слушать",
  sure: "Перестать получать изменения этой учётной записи? Чаты будут следовать за тикетами медленнее.", yes: "Перестать", no: "Отмена",
  api: "API caseroom отвечает", registered: "Интеграция зарегистрирована", connected: "Токен сохранён",
  installed: "Изменения приходят", webhook: "Вебхук",
  good: "да", bad: "нет", none: "нет", active: "включён", inactive: "выключен",
  allDone: "Теперь caseroom узнаёт об изменениях.", stopped: "caseroom больше не узнаёт об изменениях через эту интеграцию.",
  nameTaken: "Это имя занято другой учётной записью Zendesk. Соберите приложение заново с другим именем в --integration.",
  notAdmin: "Zendesk отказал: нужен администратор.", notThere: "Такой интеграции в Zendesk нет. Сначала зарегистрируйте её.",
  busy: "Zendesk занят. Повторите через минуту.", refused: "Zendesk отказал.", offline: "Zendesk не ответил. Проверьте связь и повторите.",
};

/** The texts for a BCP 47 tag; English where there are none. */
export function textsFor(locale) {
  const language = String(locale ?? "").toLowerCase().split(/[-_]/)[0];
  return { ja, zh, ru }[language] ?? en;
}
