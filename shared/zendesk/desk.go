package zendesk

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

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

// maxLine is how many characters a name or a subject may have.
const maxLine = 255

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
//
// An address or a name that Zendesk refuses costs the address or the name: the
// requester is then made by external id, and what was refused stands in the text.
func (d Desk) Create(ctx context.Context, t relay.NewTicket) (string, error) {
	t.Name = line(t.Name)
	key := t.Key
	if t.Email != "" {
		id, err := d.create(ctx, t, 0, key)
		if !refusesData(err) {
			return id, err
		}
		t.Desc = relay.RefusedNote("E-mail address", t.Email) + t.Desc
		t.Email = ""
		// Whether a refused request uses its key up is documented nowhere.
		key += "-2"
	}
	requester, err := d.requester(ctx, t)
	if refusesData(err) && t.Name != "" {
		t.Desc = relay.RefusedNote("Name", t.Name) + t.Desc
		t.Name = ""
		requester, err = d.requester(ctx, t)
	}
	if err != nil {
		return "", err
	}
	return d.create(ctx, t, requester, key)
}

// refusesData reports whether Zendesk took a request for one and refused what it
// says. A suspended requester is refused whatever the request says.
func refusesData(err error) bool {
	var e *upstream.Error
	return errors.As(err, &e) && e.Class == upstream.Refused && e.Status == http.StatusUnprocessableEntity
}

// create makes the ticket, with the address as its requester's if requester is 0.
func (d Desk) create(ctx context.Context, t relay.NewTicket, requester int64, key string) (string, error) {
	ticket := Ticket{
		Subject: line(t.Subject), Body: firstComment(t), Tags: []string{Tag},
		ExternalID: ExternalID(t.UserID, t.Key), IdempotencyKey: key,
		RequesterID: requester, Name: cmp.Or(t.Name, anonymous), Email: t.Email,
	}
	if t.Unverified {
		ticket.Tags = append(ticket.Tags, TagUnverified)
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

// requester finds or makes the requester of a customer without a usable e-mail
// address. Most customers have been here before, so the user is read first; a
// new one is made first, and read when Zendesk has it already. A user who is there
// keeps their name.
func (d Desk) requester(ctx context.Context, t relay.NewTicket) (int64, error) {
	ctx, cancel := upstream.WithShare(ctx, 40)
	defer cancel()
	externalID := userExternalID(t.UserID)
	find := func(ctx context.Context) (int64, error) { return d.Client.UserByExternalID(ctx, externalID) }
	op := "users_list"
	if !t.New {
		if id, err := upstream.Retry(ctx, find); err != nil || id != 0 {
			return id, upstream.NotDone(vendor, op, err)
		}
	}
	op = "users_create"
	id, err := upstream.Retry(ctx, func(ctx context.Context) (int64, error) {
		return d.Client.CreateUser(ctx, externalID, cmp.Or(t.Name, anonymous))
	})
	if refusesData(err) {
		// Zendesk has the user, made by another request or an earlier try of this one,
		// or minds the name.
		if found, ferr := upstream.Retry(ctx, find); ferr != nil || found != 0 {
			return found, upstream.NotDone(vendor, "users_list", ferr)
		}
	}
	return id, upstream.NotDone(vendor, op, err)
}

// line fits other people's words into a field that holds a title or a name. Such
// fields are printed by triggers, views and mails, in which {{ begins a
// placeholder.
func line(s string) string {
	apart := strings.NewReplacer("{{", "{ {", "{%", "{ %")
	s = apart.Replace(apart.Replace(relay.CleanLine(s))) // twice, for {{{
	if r := []rune(s); len(r) > maxLine {
		return string(r[:maxLine-1]) + "…"
	}
	return s
}

// firstComment is the customer's text as it is, and above it the address nobody
// checked, on a line that cannot be mistaken for two. A text that is longer than
// a comment ends earlier, and the lines above it say so.
func firstComment(t relay.NewTicket) string {
	head := ""
	if t.StatedEmail != "" {
		head = strings.TrimSpace(relay.EmailNote(relay.EmailUnverified, relay.CleanLine(t.StatedEmail))) + "\n\n"
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
