package salesforce

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"
	"unicode/utf16"

	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/upstream"
)

// The limits of Case's fields, in characters.
const (
	maxSubject     = 255
	maxDescription = 32000
	maxSupplied    = 80
)

// Case's fields for what a customer may leave out.
const (
	fieldName  = "SuppliedName"
	fieldEmail = "SuppliedEmail"
)

// Desk makes a Salesforce org a relay.Desk.
type Desk struct {
	Client *Client
	// Wait pauses between look-ups and returns early, with the context's
	// error, when that ends. upstream.Sleep if nil.
	Wait func(context.Context, time.Duration) error
	// FallbackEmail is the SuppliedEmail of cases without an address. An org whose
	// auto-response rule is active takes no case without one. "": the field stays empty.
	FallbackEmail string
}

var _ relay.Desk = Desk{}

// Name returns relay.Salesforce.
func (Desk) Name() relay.DeskName { return relay.Salesforce }

// Host returns the org's configured host, port included.
func (d Desk) Host() string { return d.Client.Host() }

// Create makes the case of a request, or finds the one its key already made.
// The key is a unique external id, so a case that may have been made is looked
// up by it; DUPLICATE_VALUE may be about any unique field, and counts only if
// that look-up finds the case. The error of a case that was not found is that
// of its creation: it may still appear, and the org's unique field then lets
// another try with the same key find it and make no second one. Without a key
// field nothing can be looked up, and another try may make a second case.
//
// An address or a name that the org refuses costs the address or the name, which
// then stand in the text.
func (d Desk) Create(ctx context.Context, t relay.NewTicket) (string, error) {
	for {
		id, err := d.create(ctx, t)
		var refusal *unfit
		if !errors.As(err, &refusal) {
			return id, err
		}
		less, ok := without(t, refusal.fields)
		if !ok {
			return "", err
		}
		t = less
	}
}

func (d Desk) create(ctx context.Context, t relay.NewTicket) (string, error) {
	write, cancel := upstream.WithShare(ctx, 60)
	id, err := d.Client.CreateCase(write, newCase(t, d.FallbackEmail))
	cancel()
	var e *upstream.Error
	if err == nil || !errors.As(err, &e) || !(e.OutcomeUnknown() || e.Code == codeDuplicate) {
		return id, err
	}
	if found := d.settle(ctx, t); found != "" {
		return found, nil
	}
	return "", err
}

// without returns the request without the address or the name that an org refused
// by their fields, without both if the refusal names neither. It is false for a
// request that has nothing to do without.
func without(t relay.NewTicket, fields []string) (less relay.NewTicket, ok bool) {
	less = t
	address := cmp.Or(t.Email, t.StatedEmail)
	email, name := slices.Contains(fields, fieldEmail) && address != "", slices.Contains(fields, fieldName) && t.Name != ""
	if !email && !name && len(fields) == 0 {
		email, name = address != "", t.Name != ""
	}
	if name {
		less.Name, less.Desc = "", relay.RefusedNote("Name", t.Name)+less.Desc
	}
	if email {
		less.Email, less.StatedEmail = "", ""
		less.Desc = relay.RefusedNote("E-mail address", address) + less.Desc
	}
	return less, email || name
}

// Find returns the id of the case that key made for the user, "" if there is
// none or the org has no key field.
func (d Desk) Find(ctx context.Context, userID, key string) (string, error) {
	id, err := upstream.Retry(ctx, func(ctx context.Context) (string, error) {
		id, err := d.Client.CaseByKey(ctx, key, userID)
		return id, once(err)
	})
	return id, upstream.NotDone(vendor, "case_get", err)
}

// newCase fits a request into a case's fields. SuppliedName and SuppliedEmail
// are stated by nature, so a stated address needs no other place. A name is
// cut to fit; a cut address would be somebody else's and goes below the text. A
// case without an address has the fallback, which may be "".
func newCase(t relay.NewTicket, fallback string) Case {
	k := Case{
		Subject: cut(relay.CleanLine(t.Subject), maxSubject), Description: relay.CleanText(t.Desc),
		SuppliedName: cut(relay.CleanLine(t.Name), maxSupplied), SuppliedEmail: t.Email,
		Key: t.Key, UserID: t.UserID,
	}
	if k.SuppliedEmail == "" {
		k.SuppliedEmail = t.StatedEmail
	}
	foot := ""
	if length(k.SuppliedEmail) > maxSupplied {
		foot = relay.EmailNote("", cut(k.SuppliedEmail, maxSubject))
		k.SuppliedEmail = ""
	}
	k.SuppliedEmail = cmp.Or(k.SuppliedEmail, fallback)
	k.Description = cut(k.Description, maxDescription-length(foot)) + foot
	return k
}

// length counts as Salesforce does, whose strings are UTF-16.
func length(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// cut returns s, or as much of it as fits into n characters, ending between
// two runes.
func cut(s string, n int) string {
	for i, r := range s {
		if n -= utf16.RuneLen(r); n < 0 {
			return s[:i]
		}
	}
	return s
}

// settle looks for a case that may have been made.
func (d Desk) settle(ctx context.Context, t relay.NewTicket) string {
	if d.Client.keyField == "" {
		return ""
	}
	return upstream.Settle(ctx, d.Wait, func(ctx context.Context) (string, bool) {
		id, err := d.Client.CaseByKey(ctx, t.Key, t.UserID)
		return id, err != nil && (upstream.ClassOf(err) == upstream.Refused || upstream.HasCode(err, codeRequestLimit))
	})
}
