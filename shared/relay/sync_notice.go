package relay

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"

	"github.com/caseroom/caseroom/shared/upstream"
)

// announce sends the notice that the room lacks. Its id is the mark's count plus
// one, and the mark is written after the notice was sent.
//
// A redelivered message looks into the last page of the history first, because
// the vendor's own deduplication lasts five minutes. It looks even if the mark
// is up to date: an interrupted try may have sent a notice that is stale by now,
// such as "solved" in the room of a ticket that is open again.
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
	if a == apart && w.told(gone) {
		// The room has been told that it ended: no more than the mark is news.
		w.room.Mark.Said = a.hash()
		w.touch()
		return nil
	}
	n := w.room.Mark.Announced + 1
	notice := Notice{
		ID:     NoticeID{N: n, Kind: a.kind, Said: a.hash(), Ticket: a.ticket, Agents: a.agent},
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
		a.agent, n.ID.Agents = "", ""
		n.Text = w.Texts.Text(w.ticket.Locale, a)
		seq, err = w.Rooms.Say(ctx, w.ref.GroupID(), n)
	}
	if errors.Is(err, ErrRefusedText) {
		w.Meter.Count(ctx, "NoticeRefused", 1, "desk", string(w.ref.Desk))
		slog.WarnContext(ctx, "notice refused by moderation", "desk", w.ref.Desk, "ticket", w.ref.Ticket, "kind", n.ID.Kind)
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
	w.note(page)
	return nil
}

// note takes the notices of a page of the history into the mark.
func (w *work) note(page []Message) {
	for _, m := range page {
		id := m.Notice
		if !m.Ours || id.N <= w.room.Mark.Announced || m.Random != noticeRandom(w.ref.GroupID(), w.room.Created, id.N) {
			continue
		}
		w.room.Mark.Announced, w.room.Mark.Said = id.N, id.Said
		w.said = max(w.said, m.Seq)
		w.touch()
	}
}

// noticeRandom is the Random of a room's n-th notice. A room that was made
// again has another.
func noticeRandom(groupID string, created int64, n int) uint32 {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s@%d#%d", groupID, created, n))
	return binary.BigEndian.Uint32(sum[:4])
}
