package zendesk

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"

	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/upstream"
)

// Tags of our tickets. Triggers may use them as a condition; what is ours is
// told by the external id, because tags get replaced and inherited.
const (
	Tag           = "caseroom"
	TagUnverified = "caseroom_unverified" // a guest's: nobody checked who this is
)

const anonymous = "Anonymous customer"

// Desk makes a Zendesk account a relay.Desk.
type Desk struct {
	Client *Client
	// Wait pauses between look-ups and returns early, with the context's
	// error, when that ends. upstream.Sleep if nil.
	Wait func(context.Context, time.Duration) error
}

var _ relay.Desk = Desk{}

// Name returns relay.Zendesk.
func (Desk) Name() relay.DeskName { return relay.Zendesk }

// Host returns the account's configured host, port included.
func (d Desk) Host() string { return d.Client.Host() }

// Create makes the ticket of a request, or finds the one its key already made.
// The key is Zendesk's Idempotency-Key and the end of the ticket's external
// id, so a ticket that may have been made is looked up; when Zendesk says that
// the key was used with another body, the first body wins. The error of a
// ticket that was not found is that of its creation; a suspended requester's is
// [relay.ErrSuspended].
func (d Desk) Create(ctx context.Context, t relay.NewTicket) (string, error) {
	ticket := Ticket{
		Subject: t.Subject, Body: firstComment(t), Tags: []string{Tag},
		ExternalID: ExternalID(t.UserID, t.Key), IdempotencyKey: t.Key,
		Name: t.Name, Email: t.Email,
	}
	if t.Unverified {
		ticket.Tags = append(ticket.Tags, TagUnverified)
	}
	if strings.TrimSpace(ticket.Name) == "" {
		ticket.Name = anonymous
	}
	if t.Email == "" {
		id, err := d.requester(ctx, t.UserID, ticket.Name)
		if err != nil {
			return "", err
		}
		ticket.RequesterID = id
	}
	write, cancel := upstream.WithShare(ctx, 60)
	id, err := d.Client.CreateTicket(write, ticket)
	cancel()
	if upstream.HasCode(err, codeSuspended) {
		return "", relay.ErrSuspended
	}
	var e *upstream.Error
	if err == nil || !errors.As(err, &e) || !e.OutcomeUnknown() {
		return id, err
	}
	if found := d.settle(ctx, ticket.ExternalID); found != "" {
		return found, nil
	}
	return "", err
}

// Find returns the id of the ticket that key made for the user, "" if there is
// none. Of several the oldest counts.
func (d Desk) Find(ctx context.Context, userID, key string) (string, error) {
	id, err := upstream.Retry(ctx, func(ctx context.Context) (string, error) {
		return d.find(ctx, ExternalID(userID, key))
	})
	return id, upstream.NotDone(vendor, "tickets_list", err)
}

func (d Desk) find(ctx context.Context, externalID string) (string, error) {
	ids, err := d.Client.TicketsByExternalID(ctx, externalID)
	if err != nil || len(ids) == 0 {
		return "", err
	}
	return ids[0], nil
}

// requester makes the requester of a customer without a usable e-mail address.
func (d Desk) requester(ctx context.Context, userID, name string) (int64, error) {
	ctx, cancel := upstream.WithShare(ctx, 40)
	defer cancel()
	id, err := upstream.Retry(ctx, func(ctx context.Context) (int64, error) {
		return d.Client.CreateOrUpdateUser(ctx, userExternalID(userID), name)
	})
	return id, upstream.NotDone(vendor, "users_create_or_update", err)
}

// firstComment is the customer's text as it is, and above it the address nobody
// checked, on a line that cannot be mistaken for two. A text that is longer than
// a comment ends earlier, and the lines above it say so.
func firstComment(t relay.NewTicket) string {
	head := ""
	if t.StatedEmail != "" {
		stated := strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return -1
			}
			return r
		}, relay.CleanText(t.StatedEmail))
		head = strings.TrimSpace(relay.EmailNote(relay.EmailUnverified, stated)) + "\n\n"
	}
	if commentSize(head)+commentSize(t.Desc) <= maxText {
		return head + t.Desc
	}
	head += "The request is longer than a Zendesk comment may be: its end is missing here. Ask for it in the chat.\n\n"
	left := maxText - commentSize(head)
	for i, r := range t.Desc {
		if left -= commentSize(string(r)); left < 0 {
			return head + t.Desc[:i]
		}
	}
	return head + t.Desc
}

// settle looks for a ticket that may have been made.
func (d Desk) settle(ctx context.Context, externalID string) string {
	return upstream.Settle(ctx, d.Wait, func(ctx context.Context) (string, bool) {
		id, err := d.find(ctx, externalID)
		return id, err != nil && upstream.ClassOf(err) == upstream.Refused
	})
}
