package tencent

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxEvents is how many events a session keeps for a client that comes
// back.
const maxEvents = 500

// heartbeat is how often a quiet stream says that it lives.
const heartbeat = 20 * time.Second

// clientSession is a client that is logged in. The engine's lock guards it.
type clientSession struct {
	id, user string
	made     int // order of logins
	expires  time.Time
	events   []json.RawMessage
	first    uint64 // the number of events[0]; numbers begin at 1
	over     string // why it ended
	wake     chan struct{}
}

// event is one thing that a client is told.
type event struct {
	// Type is message, recalled, typing, read, group, notice, kicked,
	// sigExpired, loggedOut or, when events were missed, resync.
	Type    string         `json:"type"`
	GroupID string         `json:"groupId,omitempty"`
	Message *clientMessage `json:"message,omitempty"`
	Seq     uint64         `json:"seq,omitempty"`
	From    string         `json:"from,omitempty"`
	Nick    string         `json:"nick,omitempty"`
	// Change is joined, left, muted, unmuted, dissolved or name for the one who
	// is told, members when others came or went.
	Change string       `json:"change,omitempty"`
	Joined []person     `json:"joined,omitempty"`
	Left   []person     `json:"left,omitempty"`
	Group  *clientGroup `json:"group,omitempty"`
	Text   string       `json:"text,omitempty"`
	Reason string       `json:"reason,omitempty"`
}

func (c *clients) open(id, user string, expires time.Time) *clientSession {
	last := 0
	for _, x := range c.sessions {
		last = max(last, x.made)
	}
	x := &clientSession{id: id, user: user, made: last + 1, expires: expires, first: 1, wake: make(chan struct{})}
	c.sessions[id] = x
	return x
}

// of returns a user's live sessions, oldest first.
func (c *clients) of(user string) []*clientSession {
	var list []*clientSession
	for _, x := range c.sessions {
		if x.user == user && x.over == "" {
			list = append(list, x)
		}
	}
	slices.SortFunc(list, func(a, b *clientSession) int { return a.made - b.made })
	return list
}

// limit leaves a user the n newest sessions.
func (c *clients) limit(user string, n int) {
	list := c.of(user)
	for _, x := range list[:max(0, len(list)-n)] {
		x.end(event{Type: "kicked", Reason: "multipleAccount"})
	}
}

// end ends a user's sessions.
func (c *clients) end(user string, e event) {
	for _, x := range c.of(user) {
		x.end(e)
	}
}

// prune forgets sessions that nobody can use any more.
func (c *clients) prune(now time.Time) {
	for id, x := range c.sessions {
		if now.Sub(x.expires) > time.Hour {
			delete(c.sessions, id)
		}
	}
}

func (x *clientSession) add(e event) {
	if x.over != "" {
		return
	}
	b, err := json.Marshal(e)
	if err != nil {
		return // strings and numbers always encode
	}
	x.events = append(x.events, b)
	if extra := len(x.events) - maxEvents; extra > 0 {
		x.events = slices.Delete(x.events, 0, extra)
		x.first += uint64(extra)
	}
	close(x.wake)
	x.wake = make(chan struct{})
}

// end tells the session a last time.
func (x *clientSession) end(e event) {
	x.add(e)
	if x.over == "" {
		x.over = e.Type
	}
}

// lapse ends a session whose UserSig has run out.
func (x *clientSession) lapse(now time.Time) {
	if x.over == "" && !now.Before(x.expires) {
		x.end(event{Type: "sigExpired"})
	}
}

// tell tells one member something about a group; the engine is locked, as below.
func (t *app) tell(user string, g *group, e event) {
	for _, x := range t.chat.of(user) {
		x.lapse(t.Now())
		e.GroupID = g.id
		if m := g.member(user); m != nil && e.Type == "group" && e.Change != "dissolved" {
			v := t.groupFor(g, m)
			e.Group = &v
		}
		x.add(e)
	}
}

func (t *app) tellMembers(g *group, e event) { t.tellOthers(g, "", e) }

func (t *app) tellOthers(g *group, but string, e event) {
	for _, m := range g.members {
		if m.id != but {
			t.tell(m.id, g, e)
		}
	}
}

func (t *app) tellJoined(g *group, id string) {
	t.tell(id, g, event{Type: "group", Change: "joined"})
	t.tellOthers(g, id, event{Type: "group", Change: "members", Joined: []person{t.person(id)}})
}

func (t *app) tellLeft(g *group, id string, silent bool) {
	t.tell(id, g, event{Type: "group", Change: "left"})
	if !silent {
		t.tellMembers(g, event{Type: "group", Change: "members", Left: []person{t.person(id)}})
	}
}

// tellMessage tells the members of a message, but not the session it came from.
func (t *app) tellMessage(g *group, msg *message, from *clientSession) {
	v := t.messageFor(msg)
	for _, m := range g.members {
		for _, x := range t.chat.of(m.id) {
			if x != from {
				x.lapse(t.Now())
				x.add(event{Type: "message", GroupID: g.id, Message: &v})
			}
		}
	}
}

// clientEvents streams a session's events as server-sent events. A client that
// comes back says which event was its last.
func (t *app) clientEvents(w http.ResponseWriter, r *http.Request, log func(status int)) {
	next := uint64(1)
	t.Lock()
	x, e := t.sessionOf(r, r.URL.Query().Get("session"))
	if e != nil {
		// What ended the session may still be unread.
		if x = t.chat.sessions[r.URL.Query().Get("session")]; x == nil {
			t.Unlock()
			log(http.StatusUnauthorized)
			refuseClient(w, e)
			return
		}
	}
	if v := r.Header.Get("Last-Event-ID"); v != "" {
		last, err := strconv.ParseUint(v, 10, 63)
		if err != nil || last >= x.first+uint64(len(x.events)) {
			t.Unlock()
			log(http.StatusBadRequest)
			refuseClient(w, refuse(10004, "Last-Event-ID is none of this session's"))
			return
		}
		next = last + 1
	}
	if x.over != "" && next >= x.first+uint64(len(x.events)) {
		t.Unlock()
		log(http.StatusNoContent)
		w.WriteHeader(http.StatusNoContent) // tells an EventSource to stay away
		return
	}
	t.Unlock()
	log(http.StatusOK)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	if _, err := io.WriteString(w, "retry: 500\n\n"); err != nil || out.Flush() != nil {
		return
	}
	for {
		text, wake, drop, wait, over := t.news(x, &next)
		if _, err := w.Write(text); err != nil || out.Flush() != nil || over {
			return
		}
		timer := time.NewTimer(wait)
		select {
		case <-wake:
		case <-timer.C:
			if _, err := io.WriteString(w, ": still here\n\n"); err != nil {
				timer.Stop()
				return
			}
		case <-drop:
			timer.Stop()
			return
		case <-r.Context().Done():
			timer.Stop()
			return
		case <-t.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// news renders a session's events from next on, and says what ends the wait
// for more.
func (t *app) news(x *clientSession, next *uint64) (text []byte, wake, drop <-chan struct{}, wait time.Duration, over bool) {
	t.Lock()
	defer t.Unlock()
	now := t.Now()
	x.lapse(now)
	var out bytes.Buffer
	if *next < x.first {
		fmt.Fprintf(&out, "id: %d\ndata: {\"type\":\"resync\"}\n\n", x.first-1)
		*next = x.first
	}
	for _, e := range x.events[*next-x.first:] {
		fmt.Fprintf(&out, "id: %d\ndata: %s\n\n", *next, e)
		*next++
	}
	return out.Bytes(), x.wake, t.chat.drop, min(heartbeat, max(x.expires.Sub(now), time.Millisecond)), x.over != ""
}

// cut ends every stream, as a network that fails does.
func (c *clients) cut() {
	close(c.drop)
	c.drop = make(chan struct{})
}

// sigExpiry reads when a verified UserSig runs out.
func sigExpiry(sig string) (time.Time, bool) {
	b, err := base64.StdEncoding.DecodeString(strings.NewReplacer("*", "+", "-", "/", "_", "=").Replace(sig))
	if err != nil {
		return time.Time{}, false
	}
	z, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return time.Time{}, false
	}
	defer func() { _ = z.Close() }()
	text, err := io.ReadAll(io.LimitReader(z, 64<<10))
	var claims struct {
		Time   int64 `json:"TLS.time"`
		Expire int64 `json:"TLS.expire"`
	}
	if err != nil || json.Unmarshal(text, &claims) != nil {
		return time.Time{}, false
	}
	return time.Unix(claims.Time+claims.Expire, 0), true
}
