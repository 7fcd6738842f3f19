package zendesk_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/caseroom/caseroom/shared/upstream"
	"github.com/caseroom/caseroom/shared/zendesk"
)

const (
	chatToken = "chat-token-51"
	visitorAt = "/api/v2/chat/visitors/9855790-xjj3u5xPWhW1Fv"
)

func fixed(s string) func(context.Context) (zendesk.ChatCredentials, error) {
	return func(context.Context) (zendesk.ChatCredentials, error) {
		return zendesk.ChatCredentials{APIToken: s}, nil
	}
}

func (a *account) chat(change ...func(*zendesk.ChatOptions)) *zendesk.ChatClient {
	a.t.Helper()
	o := zendesk.ChatOptions{BaseURL: a.url, Credentials: fixed(chatToken), Transport: &http.Transport{}}
	for _, c := range change {
		c(&o)
	}
	c, err := zendesk.NewChat(o)
	if err != nil {
		a.t.Fatal(err)
	}
	return c
}

func TestVisitor(t *testing.T) {
	tests := []struct {
		name string
		h    http.HandlerFunc
		want zendesk.Visitor
	}{
		{"linked", reply(200, `{"banned":false,"notes":"","id":"9855790.xjj3","email":"ann@example.com","phone":"","created":1586950554,"name":"Ann","external_id":"82cd5e0c"}`),
			zendesk.Visitor{ID: "9855790.xjj3", ExternalID: "82cd5e0c", Name: "Ann", Email: "ann@example.com"}},
		{"stranger", reply(200, `{"id":"1.2","external_id":null,"email":null,"name":"Visitor 1"}`), zendesk.Visitor{ID: "1.2", Name: "Visitor 1"}},
		{"number", reply(200, `{"id":98557901234567890123,"name":"Visitor 1"}`), zendesk.Visitor{ID: "98557901234567890123", Name: "Visitor 1"}},
		{"after a hiccup", inTurn(reply(503, ``), reply(200, `{"id":"1.2"}`)), zendesk.Visitor{ID: "1.2"}},
		{"after a 401", inTurn(reply(401, ``), reply(200, `{"id":"1.2"}`)), zendesk.Visitor{ID: "1.2"}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			a := newAccount(t)
			a.On("GET "+visitorAt, tc.h)
			got, err := a.chat().Visitor(t.Context(), "9855790-xjj3u5xPWhW1Fv")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if auth := a.To(visitorAt)[0].Header.Get("Authorization"); auth != "Bearer "+chatToken {
				t.Errorf("Authorization %q", auth)
			}
		})
	}
}

func TestVisitorTokenRotation(t *testing.T) {
	a := newAccount(t)
	a.On("GET "+visitorAt, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer new" {
			reply(401, `{"error":"invalid_token"}`)(w, r)
			return
		}
		reply(200, `{"id":"1.2"}`)(w, r)
	})
	for next, ok := range map[string]bool{"new": true, "wrong": false} {
		_, err := a.chat(func(o *zendesk.ChatOptions) { o.Reread = fixed(next) }).Visitor(t.Context(), "9855790-xjj3u5xPWhW1Fv")
		if ok != (err == nil) {
			t.Errorf("%s: %v", next, err)
		}
		if err != nil {
			if e := mustError(t, err); !e.Credentials || e.Vendor != "zopim" {
				t.Errorf("got %+v", e)
			}
		}
	}
	if n := len(a.To(visitorAt)); n != 4 {
		t.Errorf("%d calls, want two for each", n)
	}
}

func TestVisitorFailures(t *testing.T) {
	for name, tc := range map[string]struct {
		h     http.HandlerFunc
		class upstream.Class
	}{
		"forbidden": {reply(403, `{"error":"`+chatToken+`"}`), upstream.Refused},
		"html":      {reply(200, `<html>`), upstream.Unknown},
		"null":      {reply(200, `null`), upstream.Unknown},
		"null id":   {reply(200, `{"id":null}`), upstream.Unknown},
		"object id": {reply(200, `{"id":{}}`), upstream.Unknown},
		"no id":     {reply(200, `{"name":"x"}`), upstream.Unknown},
		"reset":     {drop, upstream.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAccount(t)
			a.On("GET "+visitorAt, tc.h)
			_, err := a.chat().Visitor(t.Context(), "9855790-xjj3u5xPWhW1Fv")
			if e := mustError(t, err); e.Class != tc.class {
				t.Errorf("got %+v", e)
			}
		})
	}
	t.Run("no such visitor", func(t *testing.T) {
		a := newAccount(t)
		a.On("GET "+visitorAt, reply(404, `{}`))
		c := a.chat()
		for _, id := range []string{"9855790-xjj3u5xPWhW1Fv", "", "..", ".", "a/b", "a?b", "a%2fb", "ж", strings.Repeat("a", 200)} {
			if _, err := c.Visitor(t.Context(), id); !errors.Is(err, zendesk.ErrNoVisitor) {
				t.Errorf("%q: %v", id, err)
			}
		}
		if len(a.Calls()) != 1 {
			t.Errorf("%d calls", len(a.Calls()))
		}
	})
	t.Run("unusable token", func(t *testing.T) {
		a := newAccount(t)
		for _, token := range []string{"", chatToken + "\nx"} {
			_, err := a.chat(func(o *zendesk.ChatOptions) { o.Credentials = fixed(token) }).Visitor(t.Context(), "1")
			if e := mustError(t, err); !e.Credentials {
				t.Errorf("got %+v", e)
			}
		}
	})
	for name, o := range map[string]zendesk.ChatOptions{
		"no token": {BaseURL: "https://example.zendesk.com"}, "no URL": {Credentials: fixed("x")},
	} {
		if _, err := zendesk.NewChat(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
