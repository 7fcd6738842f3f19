package zendesk

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
)

// render gives a comment that came over the API the bodies that its readers
// get. What was sent is cut at 64 kB without a word. Zendesk then reads `body`
// as text with markup, which it renders for agents' comments only, and keeps
// `html_body` but for what is not on its list.
//
// See https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/#bodies.
func (z *account) render(t *ticketRecord, c *Comment) {
	author := z.users[c.AuthorID]
	agent := author != nil && author.staff()
	expand := func(s string) string { return s }
	if agent {
		expand = func(s string) string { return z.expand(t, s) }
	}
	source := cutText(c.source, maxComment)
	if c.sourceHTML {
		c.HTML, c.Body = readHTML(source, expand)
		return
	}
	text := expand(squeeze(tagPattern.ReplaceAllString(source, "")))
	if agent {
		text = markdown(text)
	} else {
		text = html.EscapeString(text)
	}
	c.HTML, c.Body = readHTML(strings.ReplaceAll(text, "\n", "<br>"), func(s string) string { return s })
}

func cutText(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

var (
	tagPattern         = regexp.MustCompile(`<[^<>]*>`)
	blanksPattern      = regexp.MustCompile(`[ \t]+`)
	whitePattern       = regexp.MustCompile(`[ \t\n\r\f]+`)
	endsPattern        = regexp.MustCompile(` ?\r?\n[\s]*`)
	placeholderPattern = regexp.MustCompile(`\{\{.*?\}\}|\{%.*?%\}`)
	markdownPatterns   = []struct {
		from *regexp.Regexp
		to   string
	}{
		{regexp.MustCompile(`!\[([^\]]*)\]\(([^()\s]+)\)`), `<img alt="$1" src="$2">`},
		{regexp.MustCompile(`\[([^\]]+)\]\(([^()\s]+)\)`), `<a href="$2">$1</a>`},
		{regexp.MustCompile(`(?m)^#{1,6} +(.+)$`), `<h2>$1</h2>`},
		{regexp.MustCompile(`(?m)^(?:[-*_] ?){3,}$`), `<hr>`},
		{regexp.MustCompile("`([^`\n]+)`"), `<code>$1</code>`},
		{regexp.MustCompile(`(?:\*\*|__)([^*_\n]+)(?:\*\*|__)`), `<strong>$1</strong>`},
		{regexp.MustCompile(`[*_]([^*_\n]+)[*_]`), `<em>$1</em>`},
	}
)

// squeeze makes one of several blanks and one of several line ends.
func squeeze(s string) string {
	return endsPattern.ReplaceAllString(blanksPattern.ReplaceAllString(s, " "), "\n")
}

// markdown renders the part of Markdown that changes what a reader sees.
func markdown(s string) string {
	s = html.EscapeString(s)
	for _, p := range markdownPatterns {
		s = p.from.ReplaceAllString(s, p.to)
	}
	return s
}

// expand fills placeholders in. An unknown one vanishes.
func (z *account) expand(t *ticketRecord, s string) string {
	return placeholderPattern.ReplaceAllStringFunc(s, func(p string) string {
		requester := z.users[t.RequesterID]
		switch strings.TrimSpace(strings.Trim(p, "{}")) {
		case "ticket.id":
			return strconv.FormatInt(t.ID, 10)
		case "ticket.title":
			return t.Subject
		case "ticket.requester.name":
			return requester.Name
		case "ticket.requester.email":
			return requester.Email
		}
		return ""
	})
}

var (
	kept = strings.Fields("a b blockquote br code div em h1 h2 h3 h4 h5 h6 hr i img li ol p pre span strong table tbody td th thead tr u ul")
	// silent are elements whose text goes with them.
	silent = strings.Fields("script style title textarea iframe noscript")
	breaks = strings.Fields("blockquote div h1 h2 h3 h4 h5 h6 hr li p pre tr")
)

// readHTML returns what is kept of a source, and its text. Placeholders are
// looked for in the text as read, entities included, but not inside <code>:
// whether Zendesk takes entities for braces is not documented.
func readHTML(source string, expand func(string) string) (markup, text string) {
	root, err := html.Parse(strings.NewReader(source))
	if err != nil {
		return "", ""
	}
	var m, plain strings.Builder
	var walk func(n *html.Node, pre, code bool)
	walk = func(n *html.Node, pre, code bool) {
		switch n.Type {
		case html.TextNode:
			s := n.Data
			if !code {
				s = expand(s)
			}
			if !pre {
				s = whitePattern.ReplaceAllString(s, " ")
			}
			m.WriteString(html.EscapeString(s))
			plain.WriteString(s)
			return
		case html.ElementNode:
			if slices.Contains(silent, n.Data) {
				return
			}
			keep := slices.Contains(kept, n.Data)
			if keep {
				m.WriteString("<" + n.Data)
				for _, a := range n.Attr {
					if slices.Contains([]string{"href", "src", "alt"}, a.Key) && !strings.HasPrefix(strings.ToLower(a.Val), "javascript:") {
						m.WriteString(" " + a.Key + `="` + html.EscapeString(a.Val) + `"`)
					}
				}
				m.WriteString(">")
			}
			block := slices.Contains(breaks, n.Data)
			if n.Data == "br" || (block && plain.Len() > 0 && !strings.HasSuffix(plain.String(), "\n")) {
				plain.WriteString("\n")
			}
			for c := n.FirstChild; c != nil; c = c.NextSibling {
				walk(c, pre || n.Data == "pre", code || n.Data == "code")
			}
			if keep && !slices.Contains([]string{"br", "hr", "img"}, n.Data) {
				m.WriteString("</" + n.Data + ">")
			}
			if block && n.NextSibling != nil {
				plain.WriteString("\n")
			}
			return
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c, pre, code)
		}
	}
	walk(root, false, false)
	return m.String(), plain.String()
}
