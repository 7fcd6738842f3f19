package relay

import (
	"strings"

	"github.com/caseroom/caseroom/shared/identity"
)

// Notice is what a room is told. The same notice of the same room has the same
// Random, by which the vendor drops a second one.
type Notice struct {
	ID     NoticeID
	Text   string
	Random uint32
}

// NoticeID stands in a notice for clients to read and for Sync to find it by.
type NoticeID struct {
	N    int    `json:"n,omitempty"`    // the how-manyth of its room
	Kind string `json:"kind,omitempty"` // waiting, joined, ended, merged
	Said string `json:"said,omitempty"` // hash of what it announced
	// Ticket is the survivor of a merge that the customer may open.
	Ticket string `json:"ticket,omitempty"`
	// Agents are the names of who joined, for clients that say it in their own language.
	Agents string `json:"agents,omitempty"`
}

// announcement is a state of a ticket that its room is told once.
type announcement struct {
	kind   string
	text   string // the key of the text, where it is not the kind
	who    string // what makes two announcements of a kind different
	agent  string // {agent}
	ticket string // {ticket}
}

var (
	waiting = announcement{kind: "waiting"}
	ended   = announcement{kind: "ended", text: "solved"}
	// endedOpen is ended where the customer may go on writing.
	endedOpen = announcement{kind: "ended", text: "solved_open"}
	// gone is ended in other words: a ticket that was solved and is deleted
	// later has ended once.
	gone = announcement{kind: "ended", text: "closed"}
	// apart is gone for a ticket whose merge is nothing to its customer. That it is
	// another one keeps the survivor from being looked for again.
	apart = announcement{kind: "ended", text: "closed", who: "apart"}
)

func joined(agents []Account) announcement {
	a := announcement{kind: "joined"}
	var names []string
	for _, x := range agents {
		a.who += x.UserID + "\n"
		if x.Nick != "" {
			names = append(names, x.Nick)
		}
	}
	a.agent = strings.Join(names, ", ")
	return a
}

// mergedInto is one announcement, whatever the survivor: a room is told once.
// Without a survivor that the customer may know of, the ticket has just ended.
func mergedInto(ticket string) announcement {
	if ticket == "" {
		return apart
	}
	return announcement{kind: "merged", ticket: ticket}
}

func (a announcement) hash() string { return identity.HashID("", a.kind+"\n"+a.who, 8) }

func (a announcement) key() string {
	if a.text != "" {
		return a.text
	}
	return a.kind
}

// Texts are notices by language and kind: "waiting", "joined", "solved",
// "solved_open", "closed" and "merged". {agent} and {ticket} stand for the agents' names and
// the survivor of a merge; a text "joined" without a name is "joined_unnamed".
// What is missing is taken from [DefaultTexts].
type Texts struct {
	// Language is the one for customers whose language is unknown or missing;
	// "en" if empty.
	Language string
	Table    map[string]map[string]string
}

// DefaultTexts are the built-in notices.
var DefaultTexts = map[string]map[string]string{
	"en": {
		"waiting":        "Thank you. Your request has been received; an agent will join you here.",
		"joined":         "{agent} has joined the conversation.",
		"joined_unnamed": "An agent has joined the conversation.",
		"solved":         "Your request has been solved and this conversation is closed. You can still read it here.",
		"solved_open":    "Your request has been solved. If it has not, just write here.",
		"closed":         "This conversation is closed. You can still read it here.",
		"merged":         "This request continues as request {ticket}. This conversation is closed; you can still read it here.",
	},
	"ja": {
		"waiting":        "お問い合わせを受け付けました。担当者が参加するまでお待ちください。",
		"joined":         "{agent} が会話に参加しました。",
		"joined_unnamed": "担当者が会話に参加しました。",
		"solved":         "お問い合わせは解決済みとなり、この会話は終了しました。内容は引き続きご覧いただけます。",
		"solved_open":    "お問い合わせは解決済みとなりました。解決していない場合は、このままご返信ください。",
		"closed":         "この会話は終了しました。内容は引き続きご覧いただけます。",
		"merged":         "このお問い合わせは {ticket} に統合されました。この会話は終了しましたが、内容は引き続きご覧いただけます。",
	},
	"zh": {
		"waiting":        "我们已收到您的请求，客服人员将很快在此与您对话。",
		"joined":         "{agent} 已加入会话。",
		"joined_unnamed": "客服人员已加入会话。",
		"solved":         "您的请求已解决，本会话已关闭。您仍可在此查看内容。",
		"solved_open":    "您的请求已解决。如仍有问题，请直接在此回复。",
		"closed":         "本会话已关闭。您仍可在此查看内容。",
		"merged":         "此请求已并入请求 {ticket}。本会话已关闭，您仍可在此查看内容。",
	},
	"ru": {
		"waiting":        "Спасибо, ваш запрос получен. Специалист скоро присоединится к этому чату.",
		"joined":         "{agent}: специалист присоединился к чату.",
		"joined_unnamed": "Специалист присоединился к чату.",
		"solved":         "Ваш запрос решён, чат закрыт. Его по-прежнему можно прочитать здесь.",
		"solved_open":    "Ваш запрос решён. Если это не так, просто напишите здесь.",
		"closed":         "Чат закрыт. Его по-прежнему можно прочитать здесь.",
		"merged":         "Этот запрос продолжается как запрос {ticket}. Чат закрыт, но его по-прежнему можно прочитать здесь.",
	},
}

// Text returns the words of an announcement in the language of a locale, such
// as "ja" or "zh-CN".
func (t Texts) Text(locale string, a announcement) string {
	key := a.key()
	if key == "joined" && a.agent == "" {
		key = "joined_unnamed"
	}
	language, _, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(locale, "_", "-")), "-")
	for _, l := range []string{language, t.Language, "en"} {
		text := t.Table[l][key]
		if text == "" {
			text = DefaultTexts[l][key]
		}
		if text != "" {
			return strings.NewReplacer("{agent}", a.agent, "{ticket}", a.ticket).Replace(text)
		}
	}
	return ""
}
