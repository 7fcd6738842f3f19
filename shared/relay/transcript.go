package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caseroom/caseroom/shared/upstream"
)

// Message is a message of a room's history.
type Message struct {
	Seq    uint64
	From   string // IM user id
	Time   time.Time
	Text   string // as a transcript shows it, several lines or one
	Random uint32
	Lost   bool     // expired or deleted: the chat keeps no more than its number
	Ours   bool     // sent by the app's admin
	Notice NoticeID // of a notice of ours
}

// Part is a piece of a room's transcript. Its name begins its body and is what
// tells that it is filed.
type Part struct {
	Name string // <group id>@<time of the room's making>:<first>-<last message>
	// Start is the name without its last message. Of two parts with the same one,
	// by writers who did not see each other, only one may be filed.
	Start string
	Body  string
}

// Archive takes, once each, the parts that no ticket can take.
type Archive interface {
	// Find returns the name of the part that key holds, "" if it holds none.
	Find(ctx context.Context, key string) (name string, err error)
	// Put writes a part unless key holds one, and returns the name of the part
	// that it then holds.
	Put(ctx context.Context, key string, part Part) (name string, err error)
}

// archivePart is how many bytes a part in the archive may have.
const archivePart = 1 << 20

// Transcripts file what was said in rooms, every message once.
type Transcripts struct {
	Rooms   SyncRooms
	Archive Archive // nil: there is none
	Meter   Meter
}

// Filing says what is to be filed.
type Filing struct {
	Desk    TicketDesk
	Ref     Ref
	Created int64  // when the room was made, Unix seconds
	From    uint64 // the first message that is not known to be filed
	// ArchiveOnly: the ticket is known to take nothing any more.
	ArchiveOnly bool
	Customer    string // IM user id
	// Stamp is a state of the ticket from before this filing, to rest the first
	// part on; zero if none is known.
	Stamp time.Time
}

// fileTries bounds how often a ticket may move or an outcome stay unknown.
const fileTries = 4

// File files a room's messages from f.From to the newest and returns the last
// one that is filed, also beside an error. It may be cut off between any two
// calls: before anything is written, the names of what is there already are
// read, from the ticket and from the archive. An unknown outcome is read again.
//
// Without an archive, what no ticket can take stays unfiled; that is counted
// and no error, for no retry would change it.
func (t *Transcripts) File(ctx context.Context, f Filing) (filed uint64, err error) {
	w, err := t.begin(ctx, f)
	if err != nil {
		return f.From - 1, err
	}
	err = w.run(ctx)
	return w.next - 1, err
}

// begin reads to where a filing goes.
func (t *Transcripts) begin(ctx context.Context, f Filing) (*filing, error) {
	newest, err := t.Rooms.History(ctx, f.Ref.GroupID(), 0)
	if err != nil {
		return nil, err
	}
	w := &filing{Transcripts: t, Filing: f, next: f.From, archived: f.ArchiveOnly}
	if len(newest) == 0 {
		return w, nil
	}
	w.last = newest[0].Seq
	if newest[len(newest)-1].Seq <= f.From {
		w.page = newest // all there is to file
	}
	return w, nil
}

type filing struct {
	*Transcripts
	Filing
	next, last uint64 // the next message to file, and the newest
	archived   bool   // the ticket takes no more: the archive's turn
	page       []Message

	names []string // on the ticket
	read  bool     // names and stamp are fresh
	stamp time.Time
}

// run files what is left. After a limit it may be run again: the names it has
// read still tell the truth where the desk refuses a part that rests on a state
// the ticket is no longer in, and are read again where it does not.
func (w *filing) run(ctx context.Context) error {
	for tries := 0; w.next <= w.last; {
		if err := w.look(ctx); err != nil {
			return err
		}
		at, err := w.skip(ctx)
		if err != nil || at {
			if err != nil {
				return err
			}
			continue
		}
		if w.archived {
			done, err := w.archive(ctx)
			if err != nil || !done {
				return err
			}
			continue
		}
		switch err := w.fileNext(ctx); {
		case err == nil:
		case errors.Is(err, ErrCannotTake):
			w.archived = true
		case tries < fileTries && (errors.Is(err, ErrMoved) || unknown(err)) && ctx.Err() == nil:
			tries++
			w.again()
		default:
			if w.stamp.IsZero() || !limited(err) {
				w.again()
			}
			return err
		}
	}
	return nil
}

// again makes the next look read everything anew.
func (w *filing) again() { w.read, w.Stamp = false, time.Time{} }

// look reads which parts the ticket has. A ticket that shows nothing because it
// is gone has none.
func (w *filing) look(ctx context.Context) error {
	if w.read {
		return nil
	}
	type view struct {
		names []string
		stamp time.Time
	}
	v, err := upstream.Retry(ctx, func(ctx context.Context) (view, error) {
		names, stamp, err := w.Desk.Parts(ctx, w.Ref.Ticket, w.prefix(), w.Stamp)
		return view{names, stamp}, err
	})
	switch {
	case errors.Is(err, ErrCannotTake):
		w.archived = true
	case err != nil:
		return err
	}
	w.names, w.stamp, w.read = v.names, v.stamp, true
	return nil
}

func (w *filing) prefix() string { return fmt.Sprintf("%s@%d:", w.Ref.GroupID(), w.Created) }

func (w *filing) name(from, to uint64) string { return fmt.Sprintf("%s%d-%d", w.prefix(), from, to) }

// skip steps over what is filed already.
func (w *filing) skip(ctx context.Context) (skipped bool, err error) {
	for _, name := range w.names {
		if from, to, ok := w.span(name); ok && from <= w.next && w.next <= to {
			w.next = to + 1
			return true, nil
		}
	}
	if w.Archive == nil {
		return false, nil
	}
	name, err := w.Archive.Find(ctx, w.key())
	if err != nil {
		return false, err
	}
	return w.step(name), nil
}

// step goes on behind the part of that name, if it is one of this room's.
func (w *filing) step(name string) bool {
	_, to, ok := w.span(name)
	if !ok || to < w.next {
		return false
	}
	w.next = to + 1
	return true
}

var spanPattern = regexp.MustCompile(`^([0-9]{1,19})-([0-9]{1,19})$`)

// span reads the messages of a part's name. A piece of a message is no span.
func (w *filing) span(name string) (from, to uint64, ok bool) {
	rest, ok := strings.CutPrefix(name, w.prefix())
	m := spanPattern.FindStringSubmatch(rest)
	if !ok || m == nil {
		return 0, 0, false
	}
	from, err1 := strconv.ParseUint(m[1], 10, 64)
	to, err2 := strconv.ParseUint(m[2], 10, 64)
	return from, to, err1 == nil && err2 == nil && from <= to
}

// key is where the part that begins with the next message is archived. The
// messages behind its beginning are not in the key: a part that was written by
// a try that was cut off may end elsewhere than this one's would.
func (w *filing) key() string {
	return fmt.Sprintf("transcripts/%s/%s/%d/%012d.txt", w.Ref.Desk, w.Ref.Ticket, w.Created, w.next)
}

// fileNext puts the next part on the ticket, or the pieces of a message that is
// too long for one.
func (w *filing) fileNext(ctx context.Context) error {
	limit := w.Desk.MaxPart()
	part, to, err := w.build(ctx, limit, w.Desk.PartSize)
	if err != nil {
		return err
	}
	if w.Desk.PartSize(part.Body) <= limit {
		if err := w.put(ctx, part); err != nil {
			return err
		}
		w.next = to + 1
		return nil
	}
	pieces := split(part.Body, limit-len(part.Name)-64, w.Desk.PartSize)
	for i, body := range pieces {
		piece := fmt.Sprintf(".%dof%d", i+1, len(pieces))
		name := part.Name + piece
		if slices.Contains(w.names, name) {
			continue
		}
		if i > 0 {
			// A piece may begin inside somebody's line: indented, it looks like no other's.
			body = title(name) + "\n" + indent + body
		} else {
			body = strings.Replace(body, title(part.Name), title(name), 1)
		}
		if err := w.put(ctx, Part{Name: name, Start: part.Start + piece, Body: body}); err != nil {
			return err
		}
	}
	w.next = to + 1
	return nil
}

func (w *filing) put(ctx context.Context, part Part) error {
	stamp, err := w.Desk.File(ctx, w.Ref.Ticket, part, w.stamp)
	if err != nil {
		return err
	}
	w.stamp = stamp
	w.names = append(w.names, part.Name)
	return nil
}

// archive puts the next part into the archive. It reports false when there is none.
func (w *filing) archive(ctx context.Context) (bool, error) {
	if w.Archive == nil {
		w.Meter.Count(ctx, "TranscriptUnfiled", 1, "desk", string(w.Ref.Desk))
		slog.WarnContext(ctx, "transcript unfiled: the ticket takes none and there is no archive", "desk", w.Ref.Desk, "ticket", w.Ref.Ticket)
		return false, nil
	}
	part, _, err := w.build(ctx, archivePart, func(s string) int { return len(s) })
	if err != nil {
		return false, err
	}
	name, err := w.Archive.Put(ctx, w.key(), part)
	if err != nil {
		return false, err
	}
	if !w.step(name) {
		return false, fmt.Errorf("relay: %w: another room's transcript has the archive's key", errPermanent)
	}
	w.Meter.Count(ctx, "TranscriptArchived", 1, "desk", string(w.Ref.Desk))
	return true, nil
}

// build renders messages from the next one on and returns the last of them. It
// takes as many as fit into limit bytes, as size counts them, but at least one.
// It ends a part when a third of the time left is used: a filed part is kept
// whatever follows.
func (w *filing) build(ctx context.Context, limit int, size func(string) int) (Part, uint64, error) {
	spent := func() bool { return false }
	if deadline, ok := ctx.Deadline(); ok {
		end := time.Now().Add(time.Until(deadline) / 3)
		spent = func() bool { return time.Now().After(end) }
	}
	// The name's length is reserved for the longest it may become.
	room := limit - size(head(w.name(w.last, w.last), w.Ref.GroupID(), w.last, w.last))
	var lines strings.Builder
	used := 0
	from, to, seq := w.next, w.next, w.next
	for seq <= w.last && (lines.Len() == 0 || !spent()) {
		page, err := w.messages(ctx, seq)
		if err != nil {
			return Part{}, 0, err
		}
		if lost(page) {
			if page, err = w.beyond(ctx, seq); err != nil {
				return Part{}, 0, err
			}
		}
		for _, m := range page {
			text := ""
			if m.Seq > seq {
				text = missing(seq, m.Seq-1)
			}
			text += w.line(m)
			needed := size(text)
			if lines.Len() > 0 && used+needed > room {
				seq = w.last + 1
				break
			}
			lines.WriteString(text)
			used += needed
			to, seq = m.Seq, m.Seq+1
		}
		if len(page) == 0 {
			// Nothing is kept up to the newest message.
			text := missing(seq, w.last)
			if lines.Len() > 0 && used+size(text) > room {
				break
			}
			lines.WriteString(text)
			to, seq = w.last, w.last+1
		}
	}
	name := w.name(from, to)
	return Part{
		Name: name, Start: fmt.Sprintf("%s%d", w.prefix(), from), Body: head(name, w.Ref.GroupID(), from, to) + lines.String(),
	}, to, nil
}

// pageSize is how many messages one read of the history returns at most.
const pageSize = 20

// messages returns the messages of the page that begins with seq, oldest first.
func (w *filing) messages(ctx context.Context, seq uint64) ([]Message, error) {
	page := w.page
	if len(page) == 0 || page[0].Seq < seq || page[len(page)-1].Seq > seq {
		var err error
		if page, err = history(ctx, w.Rooms, w.Ref.GroupID(), seq, min(seq+pageSize-1, w.last)); err != nil {
			return nil, err
		}
		w.page = page
	}
	var list []Message
	for _, m := range slices.Backward(page) {
		if m.Seq >= seq && m.Seq <= w.last {
			list = append(list, m)
		}
	}
	return list, nil
}

// lost reports whether the chat keeps none of a page's messages.
func lost(page []Message) bool {
	return !slices.ContainsFunc(page, func(m Message) bool { return !m.Lost })
}

// checks is how many pages inside a gap must be lost too before it is skipped.
const checks = 3

// beyond returns the page of the first message behind seq that the chat keeps,
// empty if it keeps none. Messages expire from the oldest on, so the end of a
// gap is searched for: read page by page, a long one would outlast every try.
func (w *filing) beyond(ctx context.Context, seq uint64) ([]Message, error) {
	kept := func(at uint64) (bool, error) {
		page, err := w.Rooms.History(ctx, w.Ref.GroupID(), at)
		return !lost(slices.DeleteFunc(page, func(m Message) bool { return m.Seq < seq })), err
	}
	low := min(seq+pageSize-1, w.last) // lost up to here
	high := low
	for step := uint64(pageSize); high < w.last; step *= 2 {
		high = min(low+step, w.last)
		found, err := kept(high)
		if err != nil {
			return nil, err
		}
		if found {
			break
		}
		low = high
	}
	for low+1 < high {
		middle := low + (high-low)/2
		found, err := kept(middle)
		if err != nil {
			return nil, err
		}
		if found {
			high = middle
		} else {
			low = middle
		}
	}
	if whole, err := w.allLost(kept, seq+pageSize-1, low); err != nil || !whole {
		return w.nextKept(ctx, seq, err)
	}
	if low == w.last {
		return nil, nil
	}
	return w.messages(ctx, low+1)
}

// allLost looks at some pages between two that are lost. A gap of another cause
// than age may be followed by messages that the search has stepped over.
func (w *filing) allLost(kept func(uint64) (bool, error), from, to uint64) (bool, error) {
	for i := range uint64(checks) {
		if to < from+pageSize {
			break
		}
		if found, err := kept(from + (to-from)*(i+1)/(checks+1)); err != nil || found {
			return false, err
		}
	}
	return true, nil
}

// nextKept returns the next page that holds a message, read one by one.
func (w *filing) nextKept(ctx context.Context, seq uint64, err error) ([]Message, error) {
	for ; err == nil && seq <= w.last; seq += pageSize {
		var page []Message
		if page, err = w.messages(ctx, seq); !lost(page) {
			return page, err
		}
	}
	return nil, err
}

// historian reads a room's history as [SyncRooms] does.
type historian interface {
	History(ctx context.Context, groupID string, from uint64) ([]Message, error)
}

// history returns what the chat keeps of the messages from first to last, a page
// at most, newest first. The chat reads backwards, and long messages make its
// answers shorter than what was asked for: what is missing of the beginning is
// asked for until nothing older comes.
func history(ctx context.Context, rooms historian, groupID string, first, last uint64) ([]Message, error) {
	var list []Message
	for last >= first {
		page, err := rooms.History(ctx, groupID, last)
		if err != nil {
			return nil, err
		}
		oldest := last + 1
		for _, m := range page {
			if m.Seq < oldest {
				oldest = m.Seq
				if m.Seq >= first {
					list = append(list, m)
				}
			}
		}
		if oldest > last || oldest <= first {
			break
		}
		last = oldest - 1
	}
	return list, nil
}

func title(name string) string { return "Chat transcript " + name }

func head(name, groupID string, from, to uint64) string {
	return fmt.Sprintf("%s\nRoom %s, messages %d to %d, times in UTC\n\n", title(name), groupID, from, to)
}

var namePattern = regexp.MustCompile(`^[\s\x{a0}]*Chat[\s\x{a0}]+transcript[\s\x{a0}]+([^\s\x{a0}]+)`)

// PartName returns the name of the part that a note or comment holds, "" if it
// holds none. A desk may give back other white space than it got. Whose note it
// is, the caller has to know.
func PartName(body string) string {
	if m := namePattern.FindStringSubmatch(strings.ReplaceAll(body[:min(len(body), nameSpan)], "&nbsp;", " ")); m != nil {
		return m[1]
	}
	return ""
}

// nameSpan is how many bytes of a body are looked at for its name.
const nameSpan = 512

func missing(from, to uint64) string {
	if from == to {
		return fmt.Sprintf("[message %d is not kept by the chat]\n", from)
	}
	return fmt.Sprintf("[messages %d to %d are not kept by the chat]\n", from, to)
}

// indent begins every line of a message but its first.
const indent = "    "

// line renders a message. Lines after its first are indented, so that nobody's
// text looks like somebody else's.
func (w *filing) line(m Message) string {
	who := m.From
	switch {
	case m.Ours:
		who = "caseroom"
	case m.From != "" && m.From == w.Customer:
		who = "customer " + m.From
	case m.From == "":
		who = "-"
	}
	text := strings.ReplaceAll(CleanText(m.Text), "\n", "\n"+indent)
	return fmt.Sprintf("%s  %s: %s\n", m.Time.UTC().Format("2006-01-02 15:04:05"), who, text)
}

// split cuts a text into pieces of at most limit bytes as size counts them,
// between characters.
func split(s string, limit int, size func(string) int) []string {
	var pieces []string
	from, used := 0, 0
	for i, r := range s {
		needed := size(string(r))
		if used+needed > limit && i > from {
			pieces = append(pieces, s[from:i])
			from, used = i, 0
		}
		used += needed
	}
	return append(pieces, s[from:])
}
