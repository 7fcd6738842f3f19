package zendesk

import (
	"strings"

	"github.com/caseroom/caseroom/shared/relay"
)

// Zendesk renders `comment.body`: it takes HTML for HTML, an agent's Markdown for
// Markdown and {{…}} for a placeholder, and squeezes white space. What customers
// and agents wrote therefore goes out as html_body, in which <pre> keeps white
// space and <code> keeps placeholders as they are.
//
// See https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/#bodies.
const (
	htmlOpen, htmlClose = "<pre><code>", "</code></pre>"

	// maxText is how many bytes a comment's text may have once it is escaped.
	// Zendesk cuts an html_body behind 64 kB without an error, and does not say how
	// long a kB is.
	maxText = 60000
)

// Every brace is an entity, so that neither {{ nor {% is ever in the source.
var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "{", "&#123;", "}", "&#125;")

// commentHTML returns the html_body that shows text as it is, cleaned.
func commentHTML(text string) string {
	return htmlOpen + escape(text) + htmlClose
}

// commentSize is how many of [maxText] a text needs. The sizes of a text's pieces
// add up to its own or more.
func commentSize(text string) int { return len(escape(text)) }

func escape(text string) string { return escaper.Replace(relay.CleanText(text)) }
