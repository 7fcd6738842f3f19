package tencent

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"image"
	_ "image/gif" // the dimensions of an image message
	_ "image/jpeg"
	_ "image/png"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/caseroom/caseroom/local/sandbox/engine"
)

// Limits of what chat clients do.
const (
	maxFile      = 10 << 20        // of one upload
	maxFiles     = 64 << 20        // of all uploads; the oldest go first
	maxHistory   = 100             // messages of one page
	recallWithin = 2 * time.Minute // how long a sender may take a message back
)

// chat is what the vendor's own protocol between its client SDK and its servers
// does: who is logged in, what they are told, and the files they sent.
type clients struct {
	sessions map[string]*clientSession
	files    []*uploadedFile // oldest first
	drop     chan struct{}
}

type uploadedFile struct {
	id, name, contentType string
	content               []byte
	width, height         int // of an image
	format                int // as TIMImageElem numbers it; 0: no image
}

func newClients() *clients {
	return &clients{sessions: map[string]*clientSession{}, drop: make(chan struct{})}
}

// clientMessage is a message as a client shows it.
type clientMessage struct {
	Seq      uint64    `json:"seq"`
	Time     time.Time `json:"time"`
	From     string    `json:"from"`
	Nick     string    `json:"nick"`
	Type     string    `json:"type"` // text, image, file or custom
	Text     string    `json:"text,omitempty"`
	URL      string    `json:"url,omitempty"`
	Name     string    `json:"name,omitempty"`
	Size     int64     `json:"size,omitempty"` // bytes
	Recalled bool      `json:"recalled,omitempty"`
	ClientID string    `json:"clientId,omitempty"`
	Custom   string    `json:"cloudCustomData,omitempty"`
}

// clientGroup is a group as its member's client lists it.
type clientGroup struct {
	GroupID     string `json:"groupId"`
	Name        string `json:"name"`
	Muted       bool   `json:"muted"` // for this member
	MemberCount int    `json:"memberCount"`
	Unread      int    `json:"unread"`
	LastSeq     uint64 `json:"lastSeq"`
}

type person struct {
	UserID string `json:"userId"`
	Nick   string `json:"nick"`
}

// clientRoutes registers what a chat client does. See docs/sandbox.md.
func (t *app) clientRoutes() {
	mux := http.NewServeMux()
	do := func(pattern, op string, h func(w http.ResponseWriter, r *http.Request) (any, *refusal)) {
		mux.Handle(pattern, t.Operation("chat", op, func(w http.ResponseWriter, r *http.Request) {
			t.Lock()
			defer t.Unlock()
			out, e := h(w, r)
			if e != nil {
				engine.Note(r, "code", strconv.Itoa(e.code))
				refuseClient(w, e)
				return
			}
			engine.WriteJSON(w, http.StatusOK, out)
		}))
	}
	do("POST /chat/login", "login", t.clientLogin)
	do("POST /chat/logout", "logout", t.clientLogout)
	do("GET /chat/groups", "groups", t.clientGroups)
	do("GET /chat/groups/messages", "messages", t.clientMessages)
	do("GET /chat/groups/members", "members", t.clientMembers)
	do("POST /chat/groups/send", "send", t.clientSend)
	do("POST /chat/groups/recall", "recall", t.clientRecall)
	do("POST /chat/files", "upload", t.clientUpload)
	do("POST /chat/typing", "typing", t.clientTyping)
	do("POST /chat/read", "read", t.clientRead)
	mux.Handle("GET /chat/events", t.Stream("chat", "events", t.clientEvents))
	mux.HandleFunc("GET /chat/files/{id}/{name}", t.clientDownload)
	t.Mount("/chat/", engine.FromLoopback(mux))
	t.CodeErrors("chat", func(w http.ResponseWriter, code string) {
		n, err := strconv.Atoi(code)
		if err != nil {
			n = 10002
		}
		refuseClient(w, refuse(n, "forced by a fault"))
	})
	t.TooLarge("chat", func(w http.ResponseWriter, _ *http.Request) {
		refuseClient(w, refuse(80002, "the file is larger than 10 MiB"))
	})
	t.OnFault(func(f engine.Fault) {
		if f.Matches("chat", "events") {
			t.chat.cut() // streams that are open break too
		}
	})
}

// refuseClient answers {code, message}, the vendor's number in both.
func refuseClient(w http.ResponseWriter, e *refusal) {
	status := http.StatusBadRequest
	switch e.code {
	case 2024, 70001, 70003, 70009, 70013, 70014, 70020:
		status = http.StatusUnauthorized
	case 10007, 10017, 10031:
		status = http.StatusForbidden
	case 10010, 10015, 10030:
		status = http.StatusNotFound
	case 60007, 10023:
		status = http.StatusTooManyRequests
	case 80002:
		status = http.StatusRequestEntityTooLarge
	case 10002:
		status = http.StatusInternalServerError
	}
	engine.WriteJSON(w, status, map[string]any{"code": e.code, "message": e.info})
}

// readBody decodes a request's JSON object into v.
func readBody(r *http.Request, v any) *refusal {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = engine.Decode(body, v)
	}
	if err != nil {
		return refuse(60003, "the body is not the JSON object that is wanted")
	}
	return nil
}

// clientLogin is the SDK's login: it makes the account if it is the first, and
// ends the sessions in other browsers beyond those the plan allows. A client
// that renews its UserSig names the session that it replaces.
func (t *app) clientLogin(_ http.ResponseWriter, r *http.Request) (any, *refusal) {
	var in struct {
		SDKAppID int    `json:"sdkAppId"`
		UserID   string `json:"userId"`
		UserSig  string `json:"userSig"`
		Session  string `json:"session"`
	}
	if e := readBody(r, &in); e != nil {
		return nil, e
	}
	engine.Note(r, "user", in.UserID)
	if in.SDKAppID != t.fix.SDKAppID {
		return nil, refuse(70020, "there is no such app")
	}
	if !userIDPattern.MatchString(in.UserID) {
		return nil, refuse(70013, "userId is not an account's")
	}
	if e := t.verifySig(in.UserID, in.UserSig); e != nil {
		return nil, e
	}
	expires, ok := sigExpiry(in.UserSig)
	if !ok {
		return nil, refuse(70003, "the UserSig is not one")
	}
	if e := t.login(in.UserID); e != nil {
		return nil, e
	}
	t.chat.prune(t.Now())
	if old := t.chat.sessions[in.Session]; old != nil && old.user == in.UserID {
		old.end(event{Type: "loggedOut"})
	}
	t.chat.limit(in.UserID, t.plan.WebInstances-1)
	x := t.chat.open(t.ID(16), in.UserID, expires)
	return map[string]string{"session": x.id}, nil
}

// clientLogout ends a session for good.
func (t *app) clientLogout(_ http.ResponseWriter, r *http.Request) (any, *refusal) {
	var in struct {
		Session string `json:"session"`
	}
	if e := readBody(r, &in); e != nil {
		return nil, e
	}
	if x := t.chat.sessions[in.Session]; x != nil {
		x.end(event{Type: "loggedOut"})
		delete(t.chat.sessions, x.id)
	}
	return struct{}{}, nil
}

// sessionOf returns the live session that a request names.
func (t *app) sessionOf(r *http.Request, id string) (*clientSession, *refusal) {
	x := t.chat.sessions[id]
	if x == nil {
		return nil, refuse(2024, "not logged in")
	}
	x.lapse(t.Now())
	switch {
	case x.over == "sigExpired":
		return nil, refuse(70001, "the UserSig has expired")
	case x.over != "":
		return nil, refuse(2024, "not logged in any more")
	}
	engine.Note(r, "user", x.user)
	return x, nil
}

// roomOf returns a group that the session's user is in.
func (t *app) roomOf(r *http.Request, session, groupID string) (*clientSession, *group, *member, *refusal) {
	x, e := t.sessionOf(r, session)
	if e != nil {
		return nil, nil, nil, e
	}
	engine.Note(r, "group", groupID)
	g := t.groups[groupID]
	if g == nil {
		return nil, nil, nil, refuse(10010, "the group does not exist or has been dismissed")
	}
	m := g.member(x.user)
	if m == nil {
		return nil, nil, nil, refuse(10007, "not in the group")
	}
	return x, g, m, nil
}

func (t *app) clientGroups(_ http.ResponseWriter, r *http.Request) (any, *refusal) {
	x, e := t.sessionOf(r, r.URL.Query().Get("session"))
	if e != nil {
		return nil, e
	}
	list := []clientGroup{}
	for _, g := range t.oldestFirst() {
		if m := g.member(x.user); m != nil {
			list = append(list, t.groupFor(g, m))
		}
	}
	return list, nil
}

func (t *app) groupFor(g *group, m *member) clientGroup {
	v := clientGroup{GroupID: g.id, Name: g.name, MemberCount: len(g.members), LastSeq: g.lastSeq()}
	v.Muted = t.maySpeak(g, m.id) != nil
	for _, msg := range g.messages {
		if msg.seq > m.read && msg.from != m.id && t.visible(g, m, msg) {
			v.Unread++
		}
	}
	return v
}

// visible reports whether a member's client gets a message from the history.
func (t *app) visible(g *group, m *member, msg *message) bool {
	return t.Now().Sub(msg.time) <= t.plan.History && (g.history || msg.seq > m.seq)
}

// clientMessages answers one page of history, oldest first.
func (t *app) clientMessages(_ http.ResponseWriter, r *http.Request) (any, *refusal) {
	q := r.URL.Query()
	_, g, m, e := t.roomOf(r, q.Get("session"), q.Get("groupId"))
	if e != nil {
		return nil, e
	}
	before, limit := g.lastSeq()+1, 15
	var err error
	if v := q.Get("before"); v != "" {
		if before, err = strconv.ParseUint(v, 10, 64); err != nil {
			return nil, refuse(10004, "before must be a message's seq")
		}
	}
	if v := q.Get("limit"); v != "" {
		if limit, err = strconv.Atoi(v); err != nil || limit < 1 || limit > maxHistory {
			return nil, refuse(10004, "limit must be 1 to %d", maxHistory)
		}
	}
	list, complete := []clientMessage{}, true
	for _, msg := range slices.Backward(g.messages) {
		if msg.seq >= before || !t.visible(g, m, msg) {
			continue
		}
		if len(list) == limit {
			complete = false
			break
		}
		list = append(list, t.messageFor(msg))
	}
	slices.Reverse(list)
	return map[string]any{"messages": list, "complete": complete}, nil
}

func (t *app) clientMembers(_ http.ResponseWriter, r *http.Request) (any, *refusal) {
	q := r.URL.Query()
	_, g, _, e := t.roomOf(r, q.Get("session"), q.Get("groupId"))
	if e != nil {
		return nil, e
	}
	list := []person{}
	for _, m := range g.members {
		list = append(list, t.person(m.id))
	}
	return list, nil
}

// person is an account with the name that it shows.
func (t *app) person(id string) person {
	p := person{UserID: id}
	if a := t.accounts[id]; a != nil {
		p.Nick = a.nick
	}
	return p
}

// clientSend sends a message as the SDK does. clientId is what the SDK calls the
// message's ID: a resent message carries the same one and is sent once.
func (t *app) clientSend(_ http.ResponseWriter, r *http.Request) (any, *refusal) {
	var in struct {
		Session  string `json:"session"`
		GroupID  string `json:"groupId"`
		Type     string `json:"type"`
		Text     string `json:"text"`
		URL      string `json:"url"`
		Name     string `json:"name"`
		ClientID string `json:"clientId"`
	}
	if e := readBody(r, &in); e != nil {
		return nil, e
	}
	x, g, _, e := t.roomOf(r, in.Session, in.GroupID)
	if e != nil {
		return nil, e
	}
	if len(in.ClientID) > 128 {
		return nil, refuse(10004, "clientId is longer than 128 bytes")
	}
	element, e := t.element(in.Type, in.Text, in.URL, in.Name)
	if e != nil {
		return nil, e
	}
	body, err := json.Marshal([]any{element})
	if err != nil {
		return nil, refuse(10002, "the message does not encode")
	}
	random := t.Rand().Uint32()
	if in.ClientID != "" {
		h := fnv.New32a()
		_, _ = io.WriteString(h, in.ClientID)
		random = h.Sum32()
	}
	sent, e := t.send(g, outgoing{by: clientActor(x.user), from: x.user, random: random, body: body, clientID: in.ClientID, session: x})
	if e != nil {
		return nil, e
	}
	seq, _ := sent["MsgSeq"].(uint64)
	return map[string]any{"seq": seq, "time": g.message(seq).time.UTC()}, nil
}

// element is the one message element that a client's message consists of,
// as https://trtc.io/document/33527 describes it.
func (t *app) element(typ, text, address, name string) (map[string]any, *refusal) {
	element := func(typ string, content map[string]any) map[string]any {
		return map[string]any{"MsgType": typ, "MsgContent": content}
	}
	switch typ {
	case "text":
		if text == "" {
			return nil, refuse(10004, "text is empty")
		}
		if e := t.moderate("the message", text); e != nil {
			return nil, e
		}
		return element("TIMTextElem", map[string]any{"Text": text}), nil
	case "custom":
		return element("TIMCustomElem", map[string]any{"Data": text, "Desc": name, "Ext": ""}), nil
	case "image", "file":
		f := t.fileAt(address)
		if f == nil {
			return nil, refuse(10004, "url is not a file that was uploaded")
		}
		if typ == "file" {
			return element("TIMFileElem", map[string]any{
				"Url": address, "UUID": f.id, "FileName": cmp.Or(name, f.name), "FileSize": len(f.content), "Download_Flag": 2,
			}), nil
		}
		if f.format == 0 {
			return nil, refuse(10004, "the file is no image")
		}
		var sizes []any
		for kind := 1; kind <= 3; kind++ { // the original, and what stands for the thumbnails
			sizes = append(sizes, map[string]any{
				"Type": kind, "Size": len(f.content), "Width": f.width, "Height": f.height, "URL": address,
			})
		}
		return element("TIMImageElem", map[string]any{"UUID": f.id, "ImageFormat": f.format, "ImageInfoArray": sizes}), nil
	}
	return nil, refuse(10004, "type must be text, image, file or custom")
}

// clientRecall takes an own message back, as the SDK's revokeMessage does.
func (t *app) clientRecall(_ http.ResponseWriter, r *http.Request) (any, *refusal) {
	var in struct {
		Session string `json:"session"`
		GroupID string `json:"groupId"`
		Seq     uint64 `json:"seq"`
	}
	if e := readBody(r, &in); e != nil {
		return nil, e
	}
	x, g, _, e := t.roomOf(r, in.Session, in.GroupID)
	if e != nil {
		return nil, e
	}
	m := g.message(in.Seq)
	switch {
	case m == nil:
		return nil, refuse(10030, "there is no such message")
	case m.from != x.user:
		return nil, refuse(10007, "only the sender may recall a message")
	case t.Now().Sub(m.time) > recallWithin:
		return nil, refuse(10031, "the message is too old to be recalled")
	}
	t.recall(clientActor(x.user), g, m)
	return struct{}{}, nil
}

func (t *app) clientTyping(_ http.ResponseWriter, r *http.Request) (any, *refusal) {
	var in struct {
		Session string `json:"session"`
		GroupID string `json:"groupId"`
	}
	if e := readBody(r, &in); e != nil {
		return nil, e
	}
	x, g, _, e := t.roomOf(r, in.Session, in.GroupID)
	if e != nil {
		return nil, e
	}
	if e := t.maySpeak(g, x.user); e != nil {
		return nil, e // typing travels as a message to those who are online
	}
	t.tellOthers(g, x.user, event{Type: "typing", From: x.user, Nick: t.person(x.user).Nick})
	return struct{}{}, nil
}

func (t *app) clientRead(_ http.ResponseWriter, r *http.Request) (any, *refusal) {
	var in struct {
		Session string `json:"session"`
		GroupID string `json:"groupId"`
		Seq     uint64 `json:"seq"`
	}
	if e := readBody(r, &in); e != nil {
		return nil, e
	}
	x, g, m, e := t.roomOf(r, in.Session, in.GroupID)
	if e != nil {
		return nil, e
	}
	if seq := min(in.Seq, g.lastSeq()); seq > m.read {
		m.read = seq
		t.tellOthers(g, x.user, event{Type: "read", From: x.user, Seq: seq})
	}
	return struct{}{}, nil
}

// clientUpload keeps a file as the SDK's upload does.
func (t *app) clientUpload(_ http.ResponseWriter, r *http.Request) (any, *refusal) {
	q := r.URL.Query()
	if _, e := t.sessionOf(r, q.Get("session")); e != nil {
		return nil, e
	}
	content, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		return nil, refuse(60002, "the body does not read")
	case len(content) == 0:
		return nil, refuse(10004, "the file is empty")
	case len(content) > maxFile:
		return nil, refuse(80002, "the file is larger than 10 MiB")
	}
	name := strings.TrimSpace(path.Base(strings.ReplaceAll(q.Get("name"), `\`, "/")))
	if name == "" || name == "." || name == "/" || len(name) > 255 || !utf8.ValidString(name) || strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return nil, refuse(10004, "name must be a file's name of at most 255 bytes")
	}
	f := &uploadedFile{id: t.ID(16), name: name, content: content, contentType: "application/octet-stream"}
	if c, kind, err := image.DecodeConfig(bytes.NewReader(content)); err == nil {
		f.width, f.height, f.contentType = c.Width, c.Height, "image/"+kind
		f.format = map[string]int{"jpeg": 1, "gif": 2, "png": 3}[kind]
	}
	t.chat.keep(f)
	address := t.BaseURL(r) + "/chat/files/" + f.id + "/" + url.PathEscape(name)
	return map[string]any{"url": address, "name": name, "size": len(content)}, nil
}

func (c *clients) keep(f *uploadedFile) {
	c.files = append(c.files, f)
	total := 0
	for i, old := range slices.Backward(c.files) {
		if total += len(old.content); total > maxFiles {
			c.files = slices.Delete(c.files, 0, i+1)
			return
		}
	}
}

func (c *clients) file(id string) *uploadedFile {
	for _, f := range c.files {
		if f.id == id {
			return f
		}
	}
	return nil
}

// fileAt returns the upload that an address names.
func (t *app) fileAt(address string) *uploadedFile {
	u, err := url.Parse(address)
	if err != nil {
		return nil
	}
	rest, ok := strings.CutPrefix(u.Path, "/chat/files/")
	id, name, slash := strings.Cut(rest, "/")
	f := t.chat.file(id)
	if !ok || !slash || f == nil || f.name != name {
		return nil
	}
	return f
}

// clientDownload serves an upload. Its address is the only key to it, as the
// vendor's are. Only images are shown; nothing of it may run.
func (t *app) clientDownload(w http.ResponseWriter, r *http.Request) {
	t.Lock()
	f := t.chat.file(r.PathValue("id"))
	t.Unlock()
	if f == nil || f.name != r.PathValue("name") {
		http.NotFound(w, r)
		return
	}
	disposition := "attachment"
	if f.format != 0 {
		disposition = "inline"
	}
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Content-Disposition", mime.FormatMediaType(disposition, map[string]string{"filename": f.name}))
	h.Set("Cache-Control", "private, max-age=86400")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.content))
}

// messageFor is a message as clients show it.
func (t *app) messageFor(msg *message) clientMessage {
	v := clientMessage{
		Seq: msg.seq, Time: msg.time.UTC(), From: msg.from, Nick: t.person(msg.from).Nick,
		Type: "custom", Recalled: msg.recalled, ClientID: msg.clientID, Custom: msg.custom,
	}
	if msg.recalled || len(msg.body) == 0 {
		return v
	}
	el, _ := msg.body[0].(map[string]any)
	content, _ := el["MsgContent"].(map[string]any)
	str := func(key string) string { s, _ := content[key].(string); return s }
	switch el["MsgType"] {
	case "TIMTextElem":
		v.Type, v.Text = "text", textOf(msg.body)
	case "TIMCustomElem":
		v.Text, v.Name = str("Data"), str("Desc")
	case "TIMFileElem":
		size, _ := content["FileSize"].(float64)
		v.Type, v.URL, v.Name, v.Size = "file", str("Url"), str("FileName"), int64(size)
	case "TIMImageElem":
		v.Type = "image"
		sizes, _ := content["ImageInfoArray"].([]any)
		for _, s := range sizes {
			one, _ := s.(map[string]any)
			if address, _ := one["URL"].(string); address != "" && v.URL == "" {
				size, _ := one["Size"].(float64)
				v.URL, v.Size = address, int64(size)
			}
		}
	default:
		v.Text = fmt.Sprint(el["MsgType"])
	}
	return v
}
