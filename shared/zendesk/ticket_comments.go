package zendesk

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/caseroom/caseroom/shared/upstream"
)

// Comment is a comment of a ticket as caseroom reads it.
type Comment struct {
	ID       int64
	AuthorID int64
	Public   bool
	Body     string // plain text
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
	cursor := ""
	for {
		page, next, err := commentPage(ctx, c, ticketID, cursor)
		if err != nil {
			return err
		}
		if !more(page) || next == "" {
			return nil
		}
		cursor = next
	}
}

func commentPage(ctx context.Context, c *Client, ticketID int64, cursor string) (page []Comment, next string, err error) {
	const op = "ticket_comments"
	query := url.Values{"sort": {"-created_at"}, "page[size]": {"100"}}
	if cursor != "" {
		query.Set("page[after]", cursor)
	}
	res, err := upstream.Retry(ctx, func(ctx context.Context) (*upstream.Response, error) {
		res, err := c.do(ctx, upstream.Call{
			Op: op, Method: http.MethodGet, Path: "/api/v2/tickets/" + strconv.FormatInt(ticketID, 10) + "/comments", Query: query,
			MaxBody: exportBody, // a comment's text stands in it three times
		})
		if err == nil && !succeeded(res) {
			err = failed(c.http, op, res)
		}
		return res, err
	})
	if err != nil {
		return nil, "", err
	}
	var answer struct {
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
		Meta struct {
			HasMore bool   `json:"has_more"`
			After   string `json:"after_cursor"`
		} `json:"meta"`
	}
	if err := json.Unmarshal(res.Body, &answer); err != nil || answer.Comments == nil {
		return nil, "", senseless(c.http, op, res)
	}
	for _, m := range *answer.Comments {
		comment := Comment{ID: m.ID, AuthorID: m.AuthorID, Public: m.Public, Body: m.Body}
		if comment.Body == "" {
			comment.Body = m.Plain
		}
		if m.Via.Source.Rel == "merge" {
			comment.MergedWith = m.Via.Source.From.TicketID
		}
		page = append(page, comment)
	}
	if answer.Meta.HasMore {
		next = answer.Meta.After
	}
	return page, next, nil
}
