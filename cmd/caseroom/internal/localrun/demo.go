package localrun

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/caseroom/caseroom/local/lambdahost"
	"github.com/caseroom/caseroom/local/logintest"
	"github.com/caseroom/caseroom/local/sandbox"
)

// demoFiles are the page at the local run's root. They need no build.
//
//go:embed demo
var demoFiles embed.FS

// demo serves what only the local run has, in front of its API: the page at /,
// the built clients, and what the page must know to act as everybody.
type demo struct {
	host    *lambdahost.Host
	gateway http.Handler
	sandbox string   // address
	files   fs.FS    // the page
	web     fs.FS    // the built clients; nil without them
	root    *os.Root // of web
	know    atomic.Pointer[Knowledge]
}

// Knowledge is what /demo.json says: credentials of people and desks that
// exist in the sandbox alone.
type Knowledge struct {
	Sandbox   string   `json:"sandbox"`
	Run       string   `json:"run"`   // another one after every start
	Built     bool     `json:"built"` // whether the widget and the panel are there
	Customers []Person `json:"customers"`
	Zendesk   *Desk    `json:"zendesk,omitempty"`
	// Salesforce is absent, as Zendesk is, when the stack lacks the desk.
	Salesforce *Desk `json:"salesforce,omitempty"`
	Guests     bool  `json:"guests"`
	// Schedules are what POST /demo/schedules/<name> runs at once.
	Schedules []string `json:"schedules"`
}

type Person struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Token string `json:"token"` // login token of a customer; the app's signed token of a Zendesk agent
}

type Desk struct {
	Agents []Person `json:"agents"`
	Own    string   `json:"own"`    // caseroom's own user
	Key    string   `json:"key"`    // the desk's bearer key
	Events string   `json:"events"` // the bearer that says that a ticket changed
}

// newDemo returns the handler. web is the folder of the built clients, which
// need not exist.
func newDemo(host *lambdahost.Host, sandboxURL, web string) (*demo, error) {
	files, err := fs.Sub(demoFiles, "demo")
	if err != nil {
		return nil, err
	}
	d := &demo{host: host, gateway: host.Gateway(), sandbox: sandboxURL, files: files}
	if web == "" {
		return d, nil
	}
	root, err := os.OpenRoot(web)
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return nil, fmt.Errorf("--web: %w", err)
	}
	if _, err := root.Stat("widget.js"); err != nil {
		_ = root.Close()
		return d, nil
	}
	d.root, d.web = root, root.FS()
	return d, nil
}

// Close lets go of the built clients' folder.
func (d *demo) Close() {
	if d.root != nil {
		_ = d.root.Close()
	}
}

// learn makes what the page knows. It may be asked for from then on.
func (d *demo) learn(r Ready, f sandbox.Fixtures, now time.Time) error {
	k := &Knowledge{Sandbox: d.sandbox, Run: now.UTC().Format(time.RFC3339Nano), Built: d.web != nil, Guests: r.Tokens.Guest != "", Schedules: []string{}}
	for _, s := range d.host.Stack().Schedules {
		k.Schedules = append(k.Schedules, s.LogicalID)
	}
	for _, c := range []struct {
		sub, name string
		verified  bool
	}{{"dana", "Dana Customer", true}, {"robin", "Robin Unverified", false}} {
		token, err := logintest.HS(f.LoginHS256).Sign(map[string]any{
			"iss": loginIssuer, "aud": loginAudience, "sub": c.sub, "name": c.name,
			"email": c.sub + "@customer.example", "email_verified": c.verified,
			"iat": now.Unix(), "exp": now.Add(tokenLife).Unix(),
		})
		if err != nil {
			return fmt.Errorf("login token: %w", err)
		}
		k.Customers = append(k.Customers, Person{c.sub, c.name, token})
	}
	names := [2]string{"Alex Agent", "Billie Agent"}
	if r.Rooms.Zendesk != "" {
		k.Zendesk = &Desk{Own: strconv.FormatInt(f.Zendesk.OwnUserID, 10), Key: f.DeskKeyZendesk, Events: f.Zendesk.EventsBearer}
		for i, id := range f.Zendesk.AgentIDs {
			agent := strconv.FormatInt(id, 10)
			token, err := appToken(f, d.sandbox, agent, now)
			if err != nil {
				return err
			}
			k.Zendesk.Agents = append(k.Zendesk.Agents, Person{agent, names[i], token})
		}
	}
	if r.Rooms.Salesforce != "" {
		k.Salesforce = &Desk{Own: f.Salesforce.OwnUserID, Key: f.DeskKeySalesforce, Events: f.DeskKeySalesforce}
		for i, id := range f.Salesforce.AgentIDs {
			k.Salesforce.Agents = append(k.Salesforce.Agents, Person{ID: id, Name: names[i]})
		}
	}
	d.know.Store(k)
	return nil
}

// appToken is the token with which Zendesk opens the app for an agent. Zendesk's
// has an iat, too: without it this one is good for as long as the other tokens.
func appToken(f sandbox.Fixtures, sandboxURL, agent string, now time.Time) (string, error) {
	token, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": strings.TrimPrefix(sandboxURL, "http://"), "context": map[string]any{"product": "support", "location": "ticket_sidebar"},
		"aud": sandboxURL + "/zendesk/api/v2/apps/installations/1.json",
		"sub": sandboxURL + "/zendesk/api/v2/users/" + agent + ".json",
		"nbf": now.Unix(), "exp": now.Add(tokenLife).Unix(), "jti": uuid.NewString(),
	}).SignedString(f.ZendeskAppKey())
	if err != nil {
		return "", fmt.Errorf("app token: %w", err)
	}
	return token, nil
}

func (d *demo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if name, ok := strings.CutPrefix(r.URL.Path, "/demo/schedules/"); ok && r.Method == http.MethodPost {
		d.schedule(w, r, name)
		return
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		switch {
		case r.URL.Path == "/":
			d.page(w, r, d.files, "index.html")
			return
		case r.URL.Path == "/demo.json":
			d.knowledge(w, r)
			return
		case r.URL.Path == "/config.json":
			writeJSON(w, map[string]any{
				"chat":    map[string]string{"kind": "sandbox", "url": d.sandbox},
				"parents": []string{"http://" + r.Host},
				"zaf":     d.sandbox + "/zendesk/zaf_sdk.min.js",
			})
			return
		case strings.HasPrefix(r.URL.Path, "/demo/"):
			d.page(w, r, d.files, strings.TrimPrefix(r.URL.Path, "/demo/"))
			return
		case d.web != nil && isFile(d.web, strings.TrimPrefix(r.URL.Path, "/")):
			d.page(w, r, d.web, strings.TrimPrefix(r.URL.Path, "/"))
			return
		}
	}
	d.gateway.ServeHTTP(w, r)
}

// isFile reports whether name is a file of files.
func isFile(files fs.FS, name string) bool {
	info, err := fs.Stat(files, name)
	return err == nil && info.Mode().IsRegular()
}

// page serves one file, under the rules that the deployed pages have, and the
// sandbox beside the API.
func (d *demo) page(w http.ResponseWriter, r *http.Request, files fs.FS, name string) {
	if !isFile(files, name) {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; "+
		"img-src 'self' data: blob: "+d.sandbox+"; connect-src 'self' "+d.sandbox+"; frame-src 'self'; frame-ancestors 'self'; "+
		"base-uri 'none'; form-action 'self'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache")
	// The agents' page in Zendesk has another origin than these files.
	h.Set("Access-Control-Allow-Origin", "*")
	http.ServeFileFS(w, r, files, name)
}

// ownName answers who does not reach this machine by a name of its own, and
// reports whether it is one: a page elsewhere may give a name of its own the
// address of this one.
func ownName(w http.ResponseWriter, r *http.Request) bool {
	host := (&url.URL{Host: r.Host}).Hostname()
	ip := net.ParseIP(host)
	if host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		http.Error(w, "only for this machine", http.StatusForbidden)
		return false
	}
	return true
}

// knowledge answers what the page must know.
func (d *demo) knowledge(w http.ResponseWriter, r *http.Request) {
	if !ownName(w, r) {
		return
	}
	k := d.know.Load()
	if k == nil {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "starting", http.StatusServiceUnavailable)
		return
	}
	writeJSON(w, k)
}

// schedule runs a schedule of the stack at once. Its time is a minute ahead: a
// window ends a minute before its time, and times are whole seconds.
func (d *demo) schedule(w http.ResponseWriter, r *http.Request, name string) {
	if !ownName(w, r) {
		return
	}
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		http.Error(w, "only for this page", http.StatusForbidden)
		return
	}
	if !slices.ContainsFunc(d.host.Stack().Schedules, func(s lambdahost.Schedule) bool { return s.LogicalID == name }) {
		http.NotFound(w, r)
		return
	}
	if err := d.host.Fire(r.Context(), name, time.Now().Add(time.Minute+time.Second)); err != nil {
		http.Error(w, "the schedule did not run; see what caseroom run prints", http.StatusBadGateway)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func writeJSON(w http.ResponseWriter, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "does not encode", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(text)
}
