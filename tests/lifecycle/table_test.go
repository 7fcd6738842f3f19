package lifecycle

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/relay"
)

// The table of states, as the design has it, and nothing of how Sync works.
//
//	the desk says                       the room is
//	not ours                            untouched
//	open, no human owner                exists, ours, unlocked; members exactly the customer
//	open, human owner A                 the same plus A
//	solved; Salesforce closed           locked, filed to the last message, agents out
//	Zendesk closed                      as solved; the archive takes what the ticket does not
//	merged                              as closed; the customer is pointed to the survivor only
//	                                    if it has the same customer
//	deleted, spam                       locked, archived
//	reopened, undeleted                 as open
//	a squat under our id                destroyed, made again
//
// With OMNI=on whoever has opened work on the case is an owner too. With
// MEMBERSHIP=calls the agents are those whom calls let in and none has let out,
// in whatever state the ticket is. A call to dissolve a room files what was said
// in it; the room of an open ticket comes back without it, and without agents.

// life is a ticket as its desk and the people in its room know it.
type life struct {
	desk              relay.DeskName
	id                string // "" until the desk has it
	subject, customer string
	creating          bool // a request for it is under way
	promised          bool // the customer was told that it exists
	foreign           bool // an agent made it, not caseroom
	squatter          bool // a foreign ticket's number is somebody's own group

	agent                   int // of the desk's two; nobody, ourselves
	status                  string
	into                    *life // merged into
	deleted, purged, erased bool  // erased: was ever deleted
	overSince, deletedSince time.Time
	// roomAtEnd: there was a room when the ticket came to be over; vanished:
	// somebody took it away.
	roomAtEnd, vanished bool
	pointed             bool // nothing has kept the room from learning of the survivor

	work []*offer // in Omni-Channel, without what has ended
	// in are the agents whom anybody but caseroom's own work let into the room.
	in map[string]bool

	said    []saying
	changed int64 // the moment in which something last happened to it
	settled bool  // its room was right, and nothing has happened to it since
}

// saying is a message that the chat took.
type saying struct {
	n         int // the how-manyth of the history
	token     string
	at        time.Time
	lost      bool // its room was taken away by somebody's hand
	dissolved bool // its room was dissolved by a call, which files what it held
}

// offer is work that Omni-Channel gave an agent.
type offer struct {
	id, status string
	agent      int
}

// kept is how long the chat keeps a message.
const kept = 7 * 24 * time.Hour

// Assignees beside the two agents.
const (
	nobody    = -1
	ourselves = -2
)

// GoString is how rapid prints a ticket that it has picked.
func (l *life) GoString() string { return string(l.desk) + " " + l.id }

func (l *life) group() string { return relay.Ref{Desk: l.desk, Ticket: l.id}.GroupID() }

func (h *history) solvedIsOpen(l *life) bool { return l.status == "solved" && h.w.SolvedOpen }

// over reports whether the table has the ticket's room locked.
func (h *history) over(l *life) bool {
	return l.deleted || l.into != nil || (l.status != "open" && !h.solvedIsOpen(l))
}

// agent is the IM id of one of the desk's two agents.
func (h *history) agent(desk relay.DeskName, agent int) string {
	if desk == relay.Zendesk {
		return fmt.Sprintf("zd_%d", h.w.Fix.Zendesk.AgentIDs[agent])
	}
	return "sf_" + h.w.Fix.Salesforce.AgentIDs[agent]
}

// owners are the IM ids of the ticket's human owners.
func (h *history) owners(l *life) (list []string) {
	for i := range 2 {
		if i == 1 && h.inactive && !l.isZD() {
			continue
		}
		opened := func(o *offer) bool { return o.agent == i && o.status == "Opened" }
		if l.agent == i || h.w.Omni && slices.ContainsFunc(l.work, opened) {
			list = append(list, h.agent(l.desk, i))
		}
	}
	return list
}

// members are who the table has in the room.
func (h *history) members(l *life) []string {
	list := []string{l.customer}
	switch {
	case h.w.Calls:
		for i := range 2 {
			if a := h.agent(l.desk, i); l.in[a] {
				list = append(list, a)
			}
		}
	case !h.over(l):
		list = append(list, h.owners(l)...)
	}
	return list
}

func is(id string) func(sandbox.TencentMember) bool {
	return func(m sandbox.TencentMember) bool { return m.UserID == id }
}

// isAgent reports whether an id is one of the desk's agents'.
func (l *life) isAgent(id string) bool {
	return strings.HasPrefix(id, map[relay.DeskName]string{relay.Zendesk: "zd_", relay.Salesforce: "sf_"}[l.desk])
}

// strangers returns who is in the room without a right to be.
func (h *history) strangers(l *life) (list []string) {
	g, there := h.w.Box.Group(l.group())
	if !there || l.foreign || g.Owner != "" { // somebody's own group is not the room
		return nil
	}
	for _, m := range g.Members {
		switch {
		case slices.Contains(h.members(l), m.UserID):
		case l.deleted && !l.isAgent(m.UserID): // who the customer was nobody knows any more
		default:
			list = append(list, m.UserID)
		}
	}
	return list
}

// mayLack reports whether a ticket that is over may have no room: somebody took
// it away, it never had one, or its time was up.
func (h *history) mayLack(l *life) bool {
	switch {
	case !h.over(l):
		return false
	case !l.roomAtEnd || l.vanished:
		return true
	case l.deleted && !l.purged:
		return time.Since(l.deletedSince) >= 30*24*time.Hour
	default:
		return time.Since(l.overSince) >= 7*24*time.Hour
	}
}

// wrong returns what the table does not say of a ticket's room.
func (h *history) wrong(l *life) []string {
	list := h.unfit(l)
	g, there := h.w.Box.Group(l.group())
	if l.foreign || there && g.Owner != "" && l.deleted {
		return list // nothing says that there is anything to file
	}
	return append(list, h.unfiled(l)...)
}

// unfit is [history.wrong] of all but the transcript, which is filed by and by.
func (h *history) unfit(l *life) (list []string) {
	bad := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	g, there := h.w.Box.Group(l.group())
	if l.foreign {
		if there != l.squatter || (there && g.Owner != "mallory") {
			bad("the room of a ticket that is not ours was touched: %v", g)
		}
		return list
	}
	over := h.over(l)
	switch {
	case !there && h.mayLack(l):
		return list
	case !there:
		bad("there is no room")
		return list
	}
	mark, err := relay.ParseMark(g.Introduction)
	if g.Owner != "" && l.deleted {
		return list // nothing says any more that the ticket was ours
	}
	if err != nil || g.Owner != "" || g.Type != "Public" || g.ApplyJoinOption != "DisableApply" {
		bad("the room is not ours: %q, owner %q, %s", g.Introduction, g.Owner, g.ApplyJoinOption)
		return list
	}
	if g.InviteJoinOption != "DisableInvite" && !l.deleted {
		bad("members may invite")
	}
	if g.MuteAllMember != over || mark.Locked.IsZero() == over {
		bad("muted %v, mark %s; over %v", g.MuteAllMember, g.Introduction, over)
	}
	if s := h.strangers(l); len(s) > 0 {
		bad("%v are in it", s)
	}
	if !l.deleted || h.w.Calls {
		for _, id := range h.members(l) {
			if l.deleted && !l.isAgent(id) {
				continue
			}
			if !slices.ContainsFunc(g.Members, is(id)) {
				bad("%s is not in it", id)
			}
		}
	}
	told := h.told(g)
	if len(told) == 0 {
		bad("nobody was told anything")
	}
	for i := 1; i < len(told); i++ {
		// Whoever is let in by calls has no name there, so two may be told alike.
		if told[i].text == told[i-1].text && (!h.w.Calls || told[i].Said == told[i-1].Said) {
			bad("told twice: %q", told[i].text)
		}
	}
	if n := len(told); n > 0 && told[n-1].Kind != h.lastTold(l) && !(l.into != nil && told[n-1].Kind == "ended") {
		bad("told %q last, and it is %s", told[n-1].text, h.lastTold(l))
	}
	if l.into != nil {
		pointed := slices.ContainsFunc(told, func(t telling) bool { return strings.Contains(t.text, l.into.id) })
		same := l.into.customer == l.customer && !l.into.foreign
		if pointed && !same {
			bad("the customer was pointed to %s, which is another's", l.into.id)
		}
		if same && l.pointed && !pointed && !l.into.erased && !l.erased && !l.vanished {
			bad("the customer was not pointed to %s: %q", l.into.id, told)
		}
	}
	return list
}

// telling is a notice as the room's members see it.
type telling struct {
	relay.NoticeID
	text string
}

func (t telling) String() string { return t.text }

// told are the notices of a room.
func (h *history) told(g sandbox.TencentGroup) (list []telling) {
	for _, m := range g.Messages {
		if m.From != h.w.Fix.Tencent.AdminUserID {
			continue
		}
		var data struct{ Caseroom relay.NoticeID }
		h.ok(json.Unmarshal([]byte(m.Custom), &data))
		list = append(list, telling{data.Caseroom, m.Text})
	}
	return list
}

// lastTold is the kind of notice that fits the ticket's state.
func (h *history) lastTold(l *life) string {
	switch {
	case l.into != nil:
		return "merged"
	case h.over(l) || l.status == "solved":
		return "ended"
	case len(h.members(l)) > 1:
		return "joined"
	default:
		return "waiting"
	}
}

// unfiled: every message of a ticket that is over stands in one transcript, on
// its ticket or in the archive, and no message of any ticket in two. A note
// whose outcome nobody heard of may be hidden with a deleted ticket; its
// messages are archived then, and stand twice if the ticket comes back.
func (h *history) unfiled(l *life) (list []string) {
	if len(l.said) == 0 {
		return nil
	}
	text := strings.Join(h.transcripts(l), "\n")
	for _, s := range l.said {
		n := strings.Count(text, s.token)
		// A daily sweep files what is about to leave the chat, unless the chat or
		// the desk was away for days.
		aged := time.Since(s.at) > kept
		if aged && h.outages > 1 {
			continue
		}
		switch {
		case n > 1 && !(l.erased && n == 2):
			list = append(list, fmt.Sprintf("%s is filed %d times", s.token, n))
		case n == 0 && (h.over(l) || aged || s.dissolved) && !s.lost && !l.purged:
			list = append(list, fmt.Sprintf("%s is filed nowhere", s.token))
		}
	}
	return list
}

// transcripts are the texts filed on a ticket and in the archive of it.
func (h *history) transcripts(l *life) (list []string) {
	state := h.w.Box.State()
	if l.desk == relay.Zendesk {
		for _, t := range state.Zendesk.Tickets {
			if fmt.Sprint(t.ID) != l.id {
				continue
			}
			for _, c := range t.Comments {
				if strings.HasPrefix(c.Body, "Chat transcript ") && !c.Public {
					list = append(list, c.Body)
				}
			}
		}
	} else { // a merged case's comments go with its customer to the survivor
		for _, row := range state.Salesforce.Transcripts {
			list = append(list, fmt.Sprint(row["Caseroom_Body__c"]))
		}
		for _, row := range state.Salesforce.Comments {
			list = append(list, fmt.Sprint(row["CommentBody"]))
		}
	}
	for _, o := range state.AWS.Objects {
		if strings.HasPrefix(o.Key, "transcripts/"+string(l.desk)+"/"+l.id+"/") {
			body, _ := h.w.Box.Object(o.Bucket, o.Key)
			list = append(list, string(body))
		}
	}
	return list
}

// checkTable says what the table says of every ticket, and that there is
// nothing else.
func (h *history) checkTable() {
	h.find()
	found := 0
	bad := func(format string, args ...any) {
		found++
		h.Errorf(format, args...)
	}
	for _, l := range h.lives {
		if l.id == "" {
			if l.promised {
				bad("%s: the customer was told of a ticket that is not there", l.subject)
			}
			continue
		}
		for _, w := range h.wrong(l) {
			bad("%s %s %q (%s, agent %d, merged %v, deleted %v): %s", l.desk, l.id, l.subject, l.status, l.agent, l.into != nil, l.deleted, w)
		}
	}
	for _, q := range h.w.Box.Queues() {
		if strings.Contains(q.Name, "dead") {
			for _, m := range q.Messages {
				bad("dead in %s: %s", q.Name, m.Body)
			}
		}
	}
	if found > 0 {
		h.Fatalf("%d things are not what the table says", found)
	}
}

// checkDissolved: the rooms of tickets that have been over for long enough are
// gone.
func (h *history) checkDissolved() {
	for _, l := range h.lives {
		if g, there := h.w.Box.Group(l.group()); l.id != "" && !l.foreign && h.over(l) && there && g.Owner == "" {
			h.Fatalf("%s %s (%s, merged %v, deleted %v): the room is still there: %s", l.desk, l.id, l.status, l.into != nil, l.deleted, g.Introduction)
		}
	}
}

// checkQuiet: a Sync of a room that is right writes nothing.
func (h *history) checkQuiet() {
	h.w.Box.ResetCalls()
	for i, l := range h.lives {
		g, _ := h.w.Box.Group(l.group())
		if l.id == "" || l.foreign || (l.deleted && g.Owner != "") {
			continue
		}
		hint := relay.Hint{Ref: relay.Ref{Desk: l.desk, Ticket: l.id}}
		if l.deleted {
			hint.Deleted = true
		}
		if err := h.w.Notify(context.Background(), hint, fmt.Sprintf("quiet-%d", i)); err != nil {
			h.Fatalf("notify: %v", err)
		}
	}
	h.idle(time.Hour)
	for _, c := range h.w.Box.Calls() {
		reads := []string{
			"oauth_tokens", "oauth_token", "users_me", "tickets_show_many", "tickets_show", "tickets_comments", "query", "query_all",
			"sobject_get", "sobject_show", "get_group_info", "get_group_member_info", "GetObject",
		}
		if !slices.Contains(reads, c.Op) && c.Op != "webhook" {
			h.Errorf("a Sync of what is right made %s %s %v", c.Vendor, c.Op, c.Detail)
		}
	}
}
