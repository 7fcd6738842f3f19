package zendesk_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/upstream"
	"github.com/caseroom/caseroom/shared/zendesk"
)

var ann = relay.NewTicket{Key: key, UserID: "ann", Subject: "Help", Desc: "It is broken.", Name: "Ann", Email: "ann@example.com"}

func TestDeskCreate(t *testing.T) {
	guest := relay.NewTicket{New: true, Key: key, UserID: "guest_abc", Subject: "Help", Desc: "Text.\n", Unverified: true, StatedEmail: "x@example.com\r\nBcc: y"}
	nameless := ann
	nameless.Name = " "
	tests := []struct {
		name   string
		ticket relay.NewTicket
		user   string // body of the call that makes the user, "" for none
		body   string
	}{
		{"requester by e-mail", ann, "",
			`{"subject":"Help","comment":{"html_body":"<pre><code>It is broken.</code></pre>","public":true},"external_id":"` + ourID + `","tags":["caseroom"],"requester":{"name":"Ann","email":"ann@example.com"}}`},
		{"no name", nameless, "",
			`{"subject":"Help","comment":{"html_body":"<pre><code>It is broken.</code></pre>","public":true},"external_id":"` + ourID + `","tags":["caseroom"],"requester":{"name":"Anonymous customer","email":"ann@example.com"}}`},
		{"requester by external id", guest, `{"user":{"name":"Anonymous customer","external_id":"caseroom:guest_abc","skip_verify_email":true}}`,
			`{"subject":"Help","comment":{"html_body":"<pre><code>E-mail address stated by the customer, not verified: x@example.com Bcc: y\n\nText.\n</code></pre>","public":true},"external_id":"caseroom:guest_abc:` + key + `","tags":["caseroom","caseroom_unverified"],"requester_id":4417}`},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			a := newAccount(t)
			a.On("POST "+ticketsAt, reply(201, `{"ticket":{"id":12}}`))
			a.On("POST "+usersAt, reply(201, `{"user":{"id":4417,"role":"end-user"}}`))
			d := zendesk.Desk{Client: a.client()}
			id, err := d.Create(t.Context(), tc.ticket)
			if err != nil || id != "12" {
				t.Fatalf("%q, %v", id, err)
			}
			users := a.To(usersAt)
			if len(users) > 1 || (len(users) == 1) != (tc.user != "") {
				t.Fatalf("%d user calls", len(users))
			}
			if tc.user != "" {
				if diff := cmp.Diff(asJSON(t, tc.user), asJSON(t, users[0].Body)); diff != "" {
					t.Errorf("user (-want +got)\n%s", diff)
				}
			}
			created := a.To(ticketsAt)
			if len(created) != 1 {
				t.Fatalf("%d ticket calls", len(created))
			}
			if diff := cmp.Diff(asJSON(t, `{"ticket":`+tc.body+`}`), asJSON(t, created[0].Body)); diff != "" {
				t.Errorf("ticket (-want +got)\n%s", diff)
			}
			if got := created[0].Header.Get("Idempotency-Key"); got != key {
				t.Errorf("Idempotency-Key %q", got)
			}
		})
	}
	d := zendesk.Desk{Client: newAccount(t).client()}
	if d.Name() != relay.Zendesk || !strings.HasPrefix(d.Host(), "127.0.0.1:") {
		t.Errorf("%s at %s", d.Name(), d.Host())
	}
}

func TestAgentNeverBecomesRequester(t *testing.T) {
	for _, role := range []string{"agent", "admin", "End-User", ""} {
		a := newAccount(t)
		a.On("GET "+usersAt, reply(200, `{"users":[{"id":4417,"external_id":"caseroom:ann","role":"`+role+`"}]}`))
		noMail := ann
		noMail.Email = ""
		patience := 10 * time.Second
		if role == "" {
			patience = 80 * time.Millisecond // an answer that makes no sense is asked for again
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, err := zendesk.Desk{Client: a.client()}.Create(ctx, noMail)
		cancel()
		if err == nil {
			t.Errorf("role %q became a requester", role)
		}
		if e := mustError(t, err); role != "" && e.Class != upstream.Refused {
			t.Errorf("role %q: %+v", role, e)
		}
		if n := len(a.To(ticketsAt)); n != 0 {
			t.Errorf("role %q: %d ticket calls", role, n)
		}
	}
}

func TestSuspendedRequester(t *testing.T) {
	for name, tc := range map[string]struct {
		body      string
		suspended bool
	}{
		"suspended":              {`{"error":"RecordInvalid","details":{"requester":[{"description":"Requester: Ann is suspended.","error":"UserSuspended"}]}}`, true},
		"among others":           {`{"error":"RecordInvalid","details":{"base":"x","requester":[{"error":"InvalidValue"},{"error":"UserSuspended"}]}}`, true},
		"another refusal":        {`{"error":"RecordInvalid","details":{"requester":[{"description":"Requester: is suspended. is invalid","error":"InvalidValue"}]}}`, false},
		"of somebody else":       {`{"error":"RecordInvalid","details":{"assignee":[{"error":"UserSuspended"}]}}`, false},
		"details of other shape": {`{"error":"RecordInvalid","details":{"requester":"UserSuspended"}}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAccount(t)
			a.On("POST "+ticketsAt, reply(422, tc.body))
			a.On("GET "+usersAt, reply(200, `{"users":[{"id":7,"external_id":"caseroom:ann","role":"end-user"}]}`))
			id, err := zendesk.Desk{Client: a.client(), Wait: noWait}.Create(t.Context(), ann)
			if id != "" || errors.Is(err, relay.ErrSuspended) != tc.suspended {
				t.Errorf("%q, %v", id, err)
			}
			if !tc.suspended && upstream.ClassOf(err) != upstream.Refused {
				t.Errorf("%v", err)
			}
			want := 2 // whatever is refused may be the address
			if tc.suspended {
				want = 1
			}
			if n := len(a.To(ticketsAt)); n != want {
				t.Errorf("%d calls", n)
			}
		})
	}
}

// TestRefusedDataCostsTheDataAlone: an address or a name that Zendesk minds does
// not cost the customer the ticket.
func TestRefusedDataCostsTheDataAlone(t *testing.T) {
	taken := reply(422, `{"error":"RecordInvalid","details":{"external_id":[{"error":"DuplicateValue"}]}}`)
	blank := reply(422, `{"error":"RecordInvalid","details":{"name":[{"error":"BlankValue"}]}}`)
	there := reply(200, `{"users":[{"id":8,"external_id":"caseroom:ann","role":"end-user"}]}`)
	nobody, made := reply(200, `{"users":[]}`), reply(201, `{"user":{"id":9,"role":"end-user"}}`)
	for name, tc := range map[string]struct {
		email, stated string
		fresh         bool
		list, post    http.HandlerFunc
		calls         []string // of users
		requester     string
		text          string
		idempotency   string
	}{
		"an address":              {"a..n@example.com", "", false, nobody, made, []string{"GET", "POST"}, "9", "E-mail address that the desk refused: a..n@example.com\n\nIt is broken.", key + "-2"},
		"of somebody known":       {"a..n@example.com", "", false, there, nil, []string{"GET"}, "8", "E-mail address that the desk refused: a..n@example.com\n\nIt is broken.", key + "-2"},
		"beside a stated one":     {"a..n@example.com", "b@example.com", false, there, nil, []string{"GET"}, "8", "E-mail address stated by the customer, not verified: b@example.com\n\nE-mail address that the desk refused: a..n@example.com\n\nIt is broken.", key + "-2"},
		"a name":                  {"", "", false, nobody, inTurn(blank, made), []string{"GET", "POST", "GET", "GET", "POST"}, "9", "Name that the desk refused: Ann\n\nIt is broken.", key},
		"a guest's first":         {"", "", true, nil, made, []string{"POST"}, "9", "It is broken.", key},
		"a guest who came back":   {"", "", true, there, taken, []string{"POST", "GET"}, "8", "It is broken.", key},
		"made by another at once": {"", "", false, inTurn(nobody, there), taken, []string{"GET", "POST", "GET"}, "8", "It is broken.", key},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAccount(t)
			a.On("GET "+usersAt, tc.list)
			a.On("POST "+usersAt, tc.post)
			a.On("POST "+ticketsAt, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if strings.Contains(string(body), `"email"`) {
					reply(422, `{"error":"RecordInvalid","details":{"requester":[{"description":"Requester: Email:  is not properly formatted","error":"InvalidFormat"}]}}`)(w, r)
					return
				}
				reply(201, `{"ticket":{"id":12}}`)(w, r)
			})
			n := ann
			n.Email, n.StatedEmail, n.New = tc.email, tc.stated, tc.fresh
			id, err := zendesk.Desk{Client: a.client(), Wait: noWait}.Create(t.Context(), n)
			if err != nil || id != "12" {
				t.Fatalf("%q, %v", id, err)
			}
			var methods []string
			for _, c := range a.To(usersAt) {
				methods = append(methods, c.Method)
			}
			if !cmp.Equal(methods, tc.calls) {
				t.Errorf("users: %v, want %v", methods, tc.calls)
			}
			tickets := a.To(ticketsAt)
			last := tickets[len(tickets)-1]
			want := `{"ticket":{"subject":"Help","comment":{"html_body":"<pre><code>` + strings.ReplaceAll(tc.text, "\n", `\n`) + `</code></pre>","public":true},"external_id":"` + ourID + `","tags":["caseroom"],"requester_id":` + tc.requester + `}}`
			if diff := cmp.Diff(asJSON(t, want), asJSON(t, last.Body)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if got := last.Header.Get("Idempotency-Key"); got != tc.idempotency {
				t.Errorf("Idempotency-Key %q", got)
			}
		})
	}
}

// TestLines: what stands in subjects and names is one line that Zendesk has
// nothing to fill in.
func TestLines(t *testing.T) {
	a := newAccount(t)
	a.On("POST "+ticketsAt, reply(201, `{"ticket":{"id":12}}`))
	n := ann
	n.Subject = "  Re:\t{{ticket.requester.email}} {{{x}}} {%if%}\u202e\u200b" + strings.Repeat("é", 300)
	n.Name = "\u2066Ann\u2069\u00a0\u00a0Ex"
	if _, err := (zendesk.Desk{Client: a.client()}).Create(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	n.Name = "\u3164\u200b\u2800"
	if _, err := (zendesk.Desk{Client: a.client()}).Create(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	type sent struct {
		Ticket struct {
			Subject   string
			Requester struct{ Name string }
		}
	}
	var first, second sent
	if err := errors.Join(json.Unmarshal([]byte(a.To(ticketsAt)[0].Body), &first), json.Unmarshal([]byte(a.To(ticketsAt)[1].Body), &second)); err != nil {
		t.Fatal(err)
	}
	subject := first.Ticket.Subject
	if strings.Contains(subject, "{{") || strings.Contains(subject, "{%") || !strings.HasPrefix(subject, "Re: { {ticket.requester.email}}") || utf8.RuneCountInString(subject) != 255 {
		t.Errorf("subject %q", subject)
	}
	if first.Ticket.Requester.Name != "Ann Ex" || second.Ticket.Requester.Name != "Anonymous customer" {
		t.Errorf("names %q, %q", first.Ticket.Requester.Name, second.Ticket.Requester.Name)
	}
}

// commit makes the ticket and then does what f does.
func commit(a *account, f http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a.On("GET "+ticketsAt, reply(200, `{"tickets":[{"id":31,"external_id":"`+ourID+`"}]}`))
		f(w, r)
	}
}

func TestUnknownOutcomeIsLookedUp(t *testing.T) {
	none := reply(200, `{"tickets":[]}`)
	found := reply(200, `{"tickets":[{"id":31,"external_id":"`+ourID+`"}]}`)
	outcomes := map[string]http.HandlerFunc{
		"reset":              drop,
		"500":                reply(500, ``),
		"502":                reply(502, ``),
		"504":                reply(504, ``),
		"html":               reply(200, `<html>`),
		"null":               reply(200, `null`),
		"truncated":          reply(201, `{"ticket":{"i`),
		"key reused":         reply(400, `{"error":"IdempotentRequestError","description":"…"}`),
		"key reused, titled": reply(400, `{"error":{"title":"IdempotentRequestError","message":"…"}}`),
		"in progress":        reply(409, `{"error":"IdempotentRequestInProgress"}`),
		"conflict":           reply(409, `busy`),
	}
	for name, outcome := range outcomes {
		for lookups, tc := range map[string]struct {
			list  http.HandlerFunc
			found bool
			lists int
			waits int
		}{
			"found at once":  {found, true, 1, 0},
			"found later":    {inTurn(none, none, found), true, 3, 2},
			"list falters":   {inTurn(reply(500, ``), found), true, 2, 1},
			"never found":    {none, false, 3, 2},
			"list refused":   {reply(403, `{"error":"Forbidden"}`), false, 1, 0},
			"list unhelpful": {reply(200, `null`), false, 3, 2},
		} {
			t.Run(name+"/"+lookups, func(t *testing.T) {
				a := newAccount(t)
				a.On("POST "+ticketsAt, outcome)
				a.On("GET "+ticketsAt, tc.list)
				waits := 0
				d := zendesk.Desk{Client: a.client(), Wait: func(context.Context, time.Duration) error { waits++; return nil }}
				id, err := d.Create(t.Context(), ann)
				if tc.found && (err != nil || id != "31") {
					t.Errorf("%q, %v", id, err)
				}
				if !tc.found {
					if e := mustError(t, err); id != "" || !e.OutcomeUnknown() || e.Op != "tickets_create" {
						t.Errorf("%q, %+v; want the creation's error", id, e)
					}
				}
				posts, lists := 0, 0
				for _, c := range a.To(ticketsAt) {
					if c.Method == "POST" {
						posts++
						if c.Header.Get("Idempotency-Key") != key {
							t.Errorf("created without the key")
						}
					} else {
						lists++
					}
				}
				if lists != tc.lists || waits != tc.waits {
					t.Errorf("%d look-ups, %d waits; want %d, %d", lists, waits, tc.lists, tc.waits)
				}
				// net/http repeats the request on a dead connection, under its key.
				if posts != 1 && (name != "reset" || posts != 2) {
					t.Errorf("created %d times", posts)
				}
			})
		}
	}
}

func TestTimeOutLeavesTimeToLookUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newDirectAccount(t)
		a.On("POST "+ticketsAt, commit(a, hang))
		c := a.client(func(o *zendesk.Options) { o.Credentials, o.Transport = legacy, a })
		id, err := zendesk.Desk{Client: c, Wait: noWait}.Create(t.Context(), ann)
		if err != nil || id != "31" {
			t.Errorf("%q, %v", id, err)
		}
	})
}

func TestWriteGetsPartOfTheDeadline(t *testing.T) {
	left := map[string]time.Duration{}
	c, err := zendesk.New(zendesk.Options{
		BaseURL: "https://acme.zendesk.com", Credentials: legacy, Timeout: time.Hour,
		Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			deadline, _ := r.Context().Deadline()
			left[r.Method+" "+r.URL.Path] = time.Until(deadline)
			switch {
			case r.Method == http.MethodGet && r.URL.Path == usersAt:
				return answer(200, `{"users":[]}`), nil
			case r.Method == http.MethodGet:
				return answer(200, `{"tickets":[]}`), nil
			case r.URL.Path == usersAt:
				return answer(201, `{"user":{"id":1,"role":"end-user"}}`), nil
			}
			return answer(500, ``), nil
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	var waits []time.Duration
	d := zendesk.Desk{Client: c, Wait: func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil }}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
	defer cancel()
	noMail := ann
	noMail.Email = ""
	if _, err := d.Create(ctx, noMail); err == nil {
		t.Error("no error")
	}
	for what, want := range map[string]time.Duration{
		"GET " + usersAt: 40 * time.Second, "POST " + usersAt: 40 * time.Second, "POST " + ticketsAt: 60 * time.Second, "GET " + ticketsAt: 100 * time.Second,
	} {
		if got := left[what]; got > want || got < want-20*time.Second {
			t.Errorf("%s had %v left, want about %v", what, got, want)
		}
	}
	if !cmp.Equal(waits, []time.Duration{400 * time.Millisecond, 800 * time.Millisecond}) {
		t.Errorf("waits %v", waits)
	}
}

func TestLookUpEndsWithTheContext(t *testing.T) {
	a := newAccount(t)
	a.On("POST "+ticketsAt, reply(500, ``))
	ctx, cancel := context.WithCancel(t.Context())
	a.On("GET "+ticketsAt, func(w http.ResponseWriter, r *http.Request) {
		reply(200, `{"tickets":[]}`)(w, r)
		cancel()
	})
	_, err := zendesk.Desk{Client: a.client()}.Create(ctx, ann)
	if e := mustError(t, err); e.Op != "tickets_create" || e.Status != 500 {
		t.Errorf("got %+v", e)
	}
	if n := len(a.To(ticketsAt)); n != 2 {
		t.Errorf("%d calls, want the creation and one look-up", n)
	}
}

func TestCertainFailuresAreNotLookedUp(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"invalid":      reply(422, `{"error":"RecordInvalid"}`),
		"rate limited": reply(429, ``),
		"unavailable":  reply(503, ``),
		"forbidden":    reply(403, `{"error":"Forbidden"}`),
	} {
		t.Run(name, func(t *testing.T) {
			a := newAccount(t)
			a.On("POST "+ticketsAt, h)
			byID := ann
			byID.Email = ""
			a.On("GET "+usersAt, reply(200, `{"users":[{"id":7,"external_id":"caseroom:ann","role":"end-user"}]}`))
			_, err := zendesk.Desk{Client: a.client()}.Create(t.Context(), byID)
			if e := mustError(t, err); e.OutcomeUnknown() {
				t.Errorf("got %+v", e)
			}
			if n := len(a.To(ticketsAt)); n != 1 {
				t.Errorf("%d ticket calls", n)
			}
		})
	}
}

func TestDeskFind(t *testing.T) {
	tests := map[string]struct {
		list  http.HandlerFunc
		want  string
		class upstream.Class
	}{
		"none":           {reply(200, `{"tickets":[]}`), "", ""},
		"the oldest":     {reply(200, `{"tickets":[{"id":40,"external_id":"`+ourID+`"},{"id":31,"external_id":"`+ourID+`"}]}`), "31", ""},
		"somebody's":     {reply(200, `{"tickets":[{"id":40,"external_id":null},{"id":41,"external_id":"caseroom:bob:`+key+`"}]}`), "", ""},
		"after a hiccup": {inTurn(reply(503, ``), reply(200, `{"tickets":[{"id":31,"external_id":"`+ourID+`"}]}`)), "31", ""},
		"refused":        {reply(403, `{"error":"Forbidden"}`), "", upstream.Refused},
		"rate limited": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "60")
			reply(429, ``)(w, r)
		}, "", upstream.RateLimited},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			a := newAccount(t)
			a.On("GET "+ticketsAt, tc.list)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			id, err := zendesk.Desk{Client: a.client()}.Find(ctx, "ann", key)
			if id != tc.want || (err == nil) != (tc.class == "") {
				t.Fatalf("%q, %v", id, err)
			}
			if err != nil && upstream.ClassOf(err) != tc.class {
				t.Errorf("class %s", upstream.ClassOf(err))
			}
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := zendesk.Desk{Client: newAccount(t).client()}.Find(ctx, "ann", key)
		if mustError(t, err); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestParseExternalID(t *testing.T) {
	for _, tc := range []struct {
		in, user, key string
		ok            bool
	}{
		{zendesk.ExternalID("ann", key), "ann", key, true},
		{zendesk.ExternalID("u_"+strings.Repeat("a", 30), key), "u_" + strings.Repeat("a", 30), key, true},
		{"caseroom:ann", "", "", false}, // a requester's, not a ticket's
		{"caseroom:ann:" + key + "2", "", "", false},
		{"caseroom:Ann:" + key, "", "", false},
		{"caseroom::" + key, "", "", false},
		{"caseroom:a:b:" + key, "", "", false},
		{" " + ourID, "", "", false},
		{ourID + "\n", "", "", false},
		{"", "", "", false},
	} {
		user, k, ok := zendesk.ParseExternalID(tc.in)
		if user != tc.user || k != tc.key || ok != tc.ok {
			t.Errorf("%q: %q, %q, %v", tc.in, user, k, ok)
		}
	}
}

func FuzzParseExternalID(f *testing.F) {
	f.Add(ourID)
	f.Add("caseroom:ann")
	f.Add("caseroom:a:b:c")
	f.Fuzz(func(t *testing.T, s string) {
		user, k, ok := zendesk.ParseExternalID(s)
		if ok && zendesk.ExternalID(user, k) != s {
			t.Errorf("%q reads as %q, %q", s, user, k)
		}
		if !ok && (user != "" || k != "") {
			t.Errorf("%q: values without ok", s)
		}
	})
}
