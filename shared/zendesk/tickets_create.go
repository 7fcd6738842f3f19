package zendesk

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/caseroom/caseroom/shared/upstream"
)

// Ticket is a ticket to create. One of RequesterID and Email must be set;
// without either Zendesk would make the API account the requester.
type Ticket struct {
	Subject     string
	Body        string // the first comment, plain text
	ExternalID  string
	Tags        []string
	RequesterID int64
	Name, Email string // the requester, made if Zendesk does not know the address
	// IdempotencyKey holds for two hours, account-wide.
	IdempotencyKey string
}

// CreateTicket creates a ticket and returns its id.
//
//	POST /api/v2/tickets {"ticket":{"subject","comment":{"html_body","public":true},"external_id","tags",
//	                      "requester":{"name","email"} or "requester_id"}}
//	201 {"ticket":{"id"}}
//
// Same key and body: the first answer again. Same key with another body (400
// IdempotentRequestError), or while the first request is still being done
// (409): the ticket exists or is about to, an error of unknown outcome. The code
// of a suspended requester's 422 is UserSuspended. net/http sends a request with
// an Idempotency-Key a second time by itself when a kept-alive connection turns
// out to be dead; with this endpoint that makes no second ticket.
//
// It takes as long as the context lets it: what is given up may still be made.
//
// See https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#create-ticket
// and https://developer.zendesk.com/api-reference/ticketing/introduction/#idempotency.
func (c *Client) CreateTicket(ctx context.Context, t Ticket) (id string, err error) {
	const op = "tickets_create"
	type person struct {
		Name  string `json:"name"`
		Email string `json:"email"`
	}
	type comment struct {
		HTML   string `json:"html_body"`
		Public bool   `json:"public"`
	}
	type ticket struct {
		Subject     string   `json:"subject"`
		Comment     comment  `json:"comment"`
		ExternalID  string   `json:"external_id"`
		Tags        []string `json:"tags"`
		RequesterID int64    `json:"requester_id,omitempty"`
		Requester   *person  `json:"requester,omitempty"`
	}
	body := ticket{
		Subject: t.Subject, Comment: comment{commentHTML(t.Body), true},
		ExternalID: t.ExternalID, Tags: t.Tags, RequesterID: t.RequesterID,
	}
	if t.RequesterID == 0 {
		body.Requester = &person{t.Name, t.Email}
	}
	res, err := c.do(ctx, upstream.Call{
		Op: op, Method: http.MethodPost, Path: "/api/v2/tickets",
		Header:  http.Header{"Idempotency-Key": {t.IdempotencyKey}},
		JSON:    map[string]ticket{"ticket": body},
		Patient: true,
	})
	if err != nil {
		return "", err
	}
	if !res.OK() {
		e := failed(c.http, op, res)
		switch {
		case e.Status == http.StatusConflict || e.Code == codeIdempotent:
			e.Class = upstream.Unknown
		case e.Status == http.StatusUnprocessableEntity && suspended(res.Body):
			e.Code = codeSuspended
		}
		return "", e
	}
	var answer struct {
		Ticket struct {
			ID int64 `json:"id"`
		} `json:"ticket"`
	}
	if err := json.Unmarshal(res.Body, &answer); err != nil || answer.Ticket.ID <= 0 {
		return "", c.http.Senseless(op, res)
	}
	return strconv.FormatInt(answer.Ticket.ID, 10), nil
}
