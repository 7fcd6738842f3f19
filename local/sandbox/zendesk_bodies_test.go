package sandbox_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// What a comment becomes depends on its field and on who wrote it.
func TestZendeskCommentBodies(t *testing.T) {
	d := newDesk(t)
	auth := d.zendeskToken(fullScope)
	id := d.ticket(auth)
	path := fmt.Sprintf("/zendesk/api/v2/tickets/%d", id)
	row, err := d.Zendesk().Ticket(id)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		field, sent string
		customer    bool
		plain, html string
	}{
		{"body", "a  <b>b</b>\n\n\n    c", true, "a b\nc", "a b<br>c"},
		{"body", "[t](https://x.example) {{ticket.id}}", true, "[t](https://x.example) {{ticket.id}}", "[t](https://x.example) {{ticket.id}}"},
		{"body", "[t](https://x.example)", false, "t", `<a href="https://x.example">t</a>`},
		{"body", "{{ticket.requester.email}} {{dc.secret}}.", false, "dana@customer.example .", "dana@customer.example ."},
		{"html_body", "<pre>a  b\n  c</pre>", false, "a  b\n  c", "<pre>a  b\n  c</pre>"},
		{"html_body", "<p>a  b</p><script>x</script>[t](u)", false, "a b\n[t](u)", "<p>a b</p>[t](u)"},
		{"html_body", "&#123;{ticket.requester.email}} <code>{{ticket.requester.email}}</code>", false, "dana@customer.example {{ticket.requester.email}}", "dana@customer.example <code>{{ticket.requester.email}}</code>"},
		{"html_body", "{{ticket.requester.email}}", true, "{{ticket.requester.email}}", "{{ticket.requester.email}}"},
		{"body", strings.Repeat("x", 70000), true, strings.Repeat("x", 65535), strings.Repeat("x", 65535)},
	} {
		comment := map[string]any{c.field: c.sent, "public": false}
		if c.customer {
			comment["author_id"] = row.RequesterID
		}
		body, err := json.Marshal(map[string]any{"ticket": map[string]any{"comment": comment}})
		if err != nil {
			t.Fatal(err)
		}
		d.want(d.send("PUT", path, string(body), auth), 200)
		a := d.want(d.send("GET", path+"/comments?page[size]=1&sort=-created_at", "", auth), 200)
		if a.text("comments.0.plain_body") != c.plain || a.text("comments.0.html_body") != c.html {
			t.Errorf("%s %.60q: plain %.80q, html %.80q", c.field, c.sent, a.text("comments.0.plain_body"), a.text("comments.0.html_body"))
		}
	}
}
