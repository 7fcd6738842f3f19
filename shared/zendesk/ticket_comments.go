package zendesk

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/caseroom/caseroom/shared/upstream"
)

// Comment is a comment of a ticket as caseroom reads it.
type Comment struct {
	ID       int64
	AuthorID int64
	Public   bool
	Text     string // without markup
	// MergedWith is the other ticket of the merge that made this comment, 0 for
	// any other comment.
	MergedWith int64
}

// Comments reads a ticket's comments, newest first, page by page until more
// returns false or there are no more. A page has 100.
//
//	GET /api/v2/tickets/1/comments?sort=-created_at&page[size]=100
//	200 {"comments":[{"id","body","plain_body","via":{"source":{"rel","from":{"ticket_id"}}}}],
//	     "meta":{"has_more","after_cursor"}}
//
// See https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/#list-comments.
func (c *Client) Comments(ctx context.Context, ticketID int64, more func([]Comment) bool) error {
	for after := ""; ; {
		page, next, err := c.commentPage(ctx, ticketID, after)
		if err != nil || !more(page) || next == "" {
			return err
		}
		after = next
	}
}

func (c *Client) commentPage(ctx context.Context, ticketID int64, after string) (page []Comment, next string, err error) {
	const op = "ticket_comments"
	query := url.Values{"sort": {"-created_at"}, "page[size]": {"100"}}
	if after != "" {
		query.Set("page[after]", after)
	}
	res, err := upstream.Retry(ctx, func(ctx context.Context) (*upstream.Response, error) {
		return c.call(ctx, upstream.Call{
			Op: op, Method: http.MethodGet, Path: ticketPath(ticketID) + "/comments", Query: query,
			MaxBody: exportBody, // a comment's text stands in it three times
		}, nil)
	})
	if err != nil {
		return nil, "", err
	}
	var answer struct {
		cursor
		Comments *[]struct {
			ID       int64  `json:"id"`
			AuthorID int64  `json:"author_id"`
			Public   bool   `json:"public"`
			Body     string `json:"body"`
			Plain    string `json:"plain_body"`
			Via      struct {
				Source struct {
					Rel  string `json:"rel"`
					From struct {
						TicketID int64 `json:"ticket_id"`
					} `json:"from"`
				} `json:"source"`
			} `json:"via"`
		} `json:"comments"`
	}
	if err := json.Unmarshal(res.Body, &answer); err != nil || answer.Comments == nil {
		return nil, "", c.http.Senseless(op, res)
	}
	if next = answer.next(); next != "" && next == after {
		return nil, "", c.http.Senseless(op, res) // it would never end
	}
	for _, m := range *answer.Comments {
		comment := Comment{ID: m.ID, AuthorID: m.AuthorID, Public: m.Public, Text: m.Plain}
		if comment.Text == "" {
			comment.Text = m.Body
		}
		if m.Via.Source.Rel == "merge" {
			comment.MergedWith = m.Via.Source.From.TicketID
		}
		page = append(page, comment)
	}
	return page, next, nil
}
