package zendesk_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/zendesk"
)

// shown returns the text of a comment's HTML and the elements in it.
func shown(t *testing.T, source string) (text string, elements []string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(source))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		switch n.Type {
		case html.TextNode:
			text += n.Data
		case html.ElementNode:
			elements = append(elements, n.Data)
		}
	}
	return text, elements
}

func FuzzCommentHTML(f *testing.F) {
	for _, s := range []string{
		"", "\nfirst line empty", "a  b\n    c\t", "</code></pre><script>x</script>", "{{ticket.id}} {% x %}", "&lt; &#123;&nbsp",
		"\u202ex\u2069\u200b\u0085\x00\xff", "\r\n\r", "&amp;#123;",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		source := zendesk.CommentHTML(s)
		text, elements := shown(t, source)
		if want := relay.CleanText(s); text != want {
			t.Errorf("%q is shown as %q, want %q", s, text, want)
		}
		if got := strings.Join(elements, " "); got != "html head body pre code" {
			t.Errorf("%q has the elements %s", s, got)
		}
		if strings.ContainsAny(source, "{}") {
			t.Errorf("%q leaves a brace in %q", s, source)
		}
		if again := relay.CleanText(text); again != text {
			t.Errorf("%q cleaned again is %q", text, again)
		}
	})
}

// A first comment is never longer than what Zendesk takes, whatever its text
// grows to, and what it lacks it says above the text.
func TestLongFirstComment(t *testing.T) {
	for name, desc := range map[string]string{
		"braces": strings.Repeat("{", 30000), "wide": strings.Repeat("漢", 30000), "fits": strings.Repeat("x", 30000),
	} {
		a := newAccount(t)
		a.On("POST "+ticketsAt, reply(201, `{"ticket":{"id":12}}`))
		long := ann
		long.Desc, long.StatedEmail = desc, "x@example.com"
		if _, err := (zendesk.Desk{Client: a.client()}).Create(t.Context(), long); err != nil {
			t.Fatal(err)
		}
		var sent struct {
			Ticket struct {
				Comment struct {
					HTML string `json:"html_body"`
				} `json:"comment"`
			} `json:"ticket"`
		}
		if err := json.Unmarshal([]byte(a.To(ticketsAt)[0].Body), &sent); err != nil {
			t.Fatal(err)
		}
		text, _ := shown(t, sent.Ticket.Comment.HTML)
		head, rest, _ := strings.Cut(text, desc[:len(string([]rune(desc)[:1]))])
		if name == "fits" { // "x" stands in the address too
			head, rest = text[:len(text)-len(desc)], ""
		}
		if n := len(sent.Ticket.Comment.HTML); n > 64000 || (rest != "" && n < 59000) {
			t.Errorf("%s: %d bytes", name, n)
		}
		if !strings.HasPrefix(head, "E-mail address stated by the customer, not verified: x@example.com\n") ||
			strings.Contains(head, "its end is missing") != (name != "fits") {
			t.Errorf("%s: begins with %q", name, head)
		}
	}
}

// Names are read from plain_body, whatever field a part was filed in: the version
// before used body, of which Zendesk keeps what it rendered.
func TestPartsAreReadFromPlainText(t *testing.T) {
	const name = "ZENDESK#12@1790000000:1-"
	comment := func(n, author, public, bodies string) string {
		return `{"id":` + n + `,"author_id":` + author + `,"public":` + public + `,` + bodies + `}`
	}
	a := newAccount(t)
	a.On("GET /api/v2/users/me", reply(200, `{"user":{"id":7,"role":"admin"}}`))
	a.On("GET "+ticketsAt+"/12", reply(200, `{"ticket":{"id":12,"status":"open","updated_at":"2026-11-30T10:00:00Z"}}`))
	a.On("GET "+ticketsAt+"/12/comments", reply(200, `{"comments":[`+strings.Join([]string{
		comment("1", "7", "false", `"body":"rendered","html_body":"<pre>","plain_body":"Chat&nbsp;transcript `+name+`5\nRoom"`),
		comment("2", "7", "false", `"body":"Chat transcript `+name+`6 Room 12, messages"`),
		comment("3", "8", "false", `"plain_body":"Chat transcript `+name+`7\n"`),
		comment("4", "7", "true", `"plain_body":"Chat transcript `+name+`8\n"`),
	}, ",")+`],"meta":{"has_more":false}}`))
	names, _, err := (&zendesk.SyncDesk{Client: a.client()}).Parts(t.Context(), "12", "ZENDESK#12@1790000000:", time.Time{})
	if err != nil || strings.Join(names, " ") != name+"5 "+name+"6" {
		t.Errorf("%q, %v", names, err)
	}
}
