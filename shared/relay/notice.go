package relay

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/upstream"
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
		return gone
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

// announce tells the room what it was not told yet. What makes a notice is the
// step from n to n+1 of the mark's count, and the mark is written after the
// notice was sent. A try that was cut off in between is followed by another
// that finds the notice in the last page of the history: the vendor's own
// memory of it lasts five minutes only. It looks there even if the mark says
// that all is told, for the mark may be of before a notice that has been
// outdated since, such as "solved" in the room of a ticket that is open again.
func (w *work) announce(ctx context.Context, a announcement) error {
	if w.item.Redelivered {
		if err := w.recall(ctx); err != nil {
			return err
		}
		w.item.Redelivered = false // all that was said is known from here on
	}
	if w.told(a) {
		return nil
	}
	n := w.room.Mark.Announced + 1
	notice := Notice{
		ID:     NoticeID{N: n, Kind: a.kind, Said: a.hash(), Ticket: a.ticket},
		Text:   w.Texts.Text(w.ticket.Locale, a),
		Random: noticeRandom(w.ref.GroupID(), w.room.Created, n),
	}
	seq, err := w.say(ctx, notice, a)
	if err != nil {
		return err
	}
	w.said = max(w.said, seq)
	w.room.Mark.Announced, w.room.Mark.Said = n, a.hash()
	w.touch()
	return nil
}

// say sends a notice. When moderation minds a name in it, it goes without; when
// it minds the whole text, the room is not told.
func (w *work) say(ctx context.Context, n Notice, a announcement) (uint64, error) {
	seq, err := w.Rooms.Say(ctx, w.ref.GroupID(), n)
	if errors.Is(err, ErrRefusedText) && a.agent != "" {
		a.agent = ""
		n.Text = w.Texts.Text(w.ticket.Locale, a)
		seq, err = w.Rooms.Say(ctx, w.ref.GroupID(), n)
	}
	if errors.Is(err, ErrRefusedText) {
		w.Meter.Count(ctx, "NoticeRefused", 1, "desk", string(w.ref.Desk))
		slog.WarnContext(ctx, "notice refused by moderation", "desk", w.ref.Desk, "ticket", w.ref.TicketID, "kind", n.ID.Kind)
		return 0, nil
	}
	var up *upstream.Error
	if errors.As(err, &up) && up.OutcomeUnknown() && ctx.Err() == nil {
		// It may have been sent. The history says.
		before := w.room.Mark.Announced
		if rerr := w.recall(ctx); rerr != nil {
			return 0, err
		}
		if w.room.Mark.Announced > before && w.room.Mark.Said == n.ID.Said {
			return w.said, nil
		}
	}
	return seq, err
}

// recall takes notices that were sent, but not written into the mark, from the
// last page of the history.
func (w *work) recall(ctx context.Context) error {
	page, err := w.Rooms.History(ctx, w.ref.GroupID(), 0)
	if err != nil {
		return err
	}
	for _, m := range page {
		id := m.Notice
		if !m.Ours || id.N <= w.room.Mark.Announced || m.Random != noticeRandom(w.ref.GroupID(), w.room.Created, id.N) {
			continue
		}
		w.room.Mark.Announced, w.room.Mark.Said = id.N, id.Said
		w.said = max(w.said, m.Seq)
		w.touch()
	}
	return nil
}

// noticeRandom is the Random of a room's n-th notice. A room that was made
// again has another.
func noticeRandom(groupID string, created int64, n int) uint32 {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s@%d#%d", groupID, created, n))
	return binary.BigEndian.Uint32(sum[:4])
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
