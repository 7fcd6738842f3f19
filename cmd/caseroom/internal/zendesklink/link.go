// Package zendesklink connects a stack with a Zendesk account: the webhook that
// tells the stack of changed tickets, its signing secret in AWS Secrets Manager,
// and the triggers, where triggers send by it.
//
// Everything is made of what the account and Secrets Manager hold now: nothing
// is remembered, so whatever was cut off half-way is finished by running it
// again. What is ours is known by its name, which holds the stack's address:
// stacks that share an account leave each other's parts alone.
package zendesklink

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/converge"
	"github.com/caseroom/caseroom/shared/zendesk"
)

// Way is how the account tells the stack of changes.
type Way string

// Events is a webhook that Zendesk's ticket events go to, of every ticket of the
// account. Triggers is a webhook that triggers send by, for tickets with our tag
// alone, but never of deletions and merges.
const (
	Events   Way = "events"
	Triggers Way = "triggers"
)

// Tag is what tickets of ours carry, for triggers to go by.
const Tag = "caseroom"

// eventTypes are what changes a room, or makes a ticket ours.
var eventTypes = prefixed("zen:event-type:ticket.",
	"agent_assignment_changed", "created", "external_id_changed", "group_assignment_changed", "marked_as_spam", "merged",
	"permanently_deleted", "soft_deleted", "status_changed", "undeleted")

func prefixed(prefix string, names ...string) []string {
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = prefix + n
	}
	return list
}

// subscriptions are the event types of our webhook, sorted.
func (l *Link) subscriptions() []string {
	if !l.Tasks {
		return eventTypes
	}
	all := slices.Concat(eventTypes, prefixed("zen:event-type:ticket.", zendesk.TaskEvents...))
	slices.Sort(all)
	return slices.Compact(all)
}

// triggerBody is all that a trigger sends: whatever else a placeholder holds may
// break the JSON, and is read from the ticket anyway.
const triggerBody = `{"ticketId":"{{ticket.id}}"}`

// Link is a stack and an account.
type Link struct {
	Account  *zendesk.Client
	Secret   *Secret
	Endpoint string // <API>/zendesk/events
	// Tasks subscribes to what changes a task in a calendar as well. Triggers
	// tell of tickets with a room only.
	Tasks bool
	Now   func() time.Time
	// Wait waits, and tells for what. It returns the context's error.
	Wait func(ctx context.Context, d time.Duration, what string) error
	// Did is told of each step that was taken; may be nil.
	Did func(step string)
}

// Name is the webhook's and the category's name, and what the triggers' titles
// begin with.
func (l *Link) Name() string {
	base := strings.TrimSuffix(l.Endpoint, "/zendesk/events")
	if u, err := url.Parse(base); err == nil {
		base = u.Host + u.Path
	}
	return "caseroom " + base
}

const description = "Tells caseroom which tickets changed. Made by the command caseroom zendesk up, which also repairs it."

// State is what there is.
type State struct {
	Webhooks     []zendesk.Webhook         // ours, the oldest first
	Others       []zendesk.Webhook         // not ours, but they post to the stack
	Triggers     []zendesk.Trigger         // ours
	Foreign      []zendesk.Trigger         // not ours, but they send by our webhooks
	Categories   []zendesk.TriggerCategory // ours
	NoCategories bool                      // the account has none
	Guests       []zendesk.Trigger         // not ours, but in our category
	Secret       Value

	signing map[string]string // signing secrets by webhook
}

// Way is how the account is connected, "" if it is not.
func (s *State) Way() Way {
	if len(s.Webhooks) == 0 {
		return ""
	}
	return wayOf(s.Webhooks[len(s.Webhooks)-1])
}

// Teller is the webhook that tells the stack of changed tickets: the newest of
// ours, else an active one that somebody else made for who works on a ticket and
// how it ends. It is nil if there is none.
func (s *State) Teller() *zendesk.Webhook {
	if n := len(s.Webhooks); n > 0 {
		return &s.Webhooks[n-1]
	}
	if i := slices.IndexFunc(s.Others, tells); i >= 0 {
		return &s.Others[i]
	}
	return nil
}

func tells(h zendesk.Webhook) bool {
	const of = "zen:event-type:ticket."
	events := slices.Contains(h.Subscriptions, of+"status_changed") && slices.Contains(h.Subscriptions, of+"agent_assignment_changed")
	return h.Active() && (events || h.OfTriggers())
}

func wayOf(h zendesk.Webhook) Way {
	if h.OfTriggers() {
		return Triggers
	}
	return Events
}

// known reports whether the stack can verify what a webhook sends.
func (s *State) known(h zendesk.Webhook) bool {
	return slices.Contains(s.Secret.WebhookSecrets, s.signing[h.ID])
}

// Strays is how many signing secrets the stack accepts that no webhook of the
// account has which posts to it.
func (s *State) Strays() int {
	n := 0
	for _, secret := range s.Secret.WebhookSecrets {
		if !slices.Contains(slices.Collect(maps.Values(s.signing)), secret) {
			n++
		}
	}
	return n
}

// Observe reads what there is.
func (l *Link) Observe(ctx context.Context) (*State, error) {
	s := &State{signing: map[string]string{}}
	webhooks, err := l.Account.Webhooks(ctx)
	if err != nil {
		return nil, err
	}
	for _, h := range webhooks {
		switch {
		case h.Name == l.Name():
			s.Webhooks = append(s.Webhooks, h)
		case h.Endpoint == l.Endpoint:
			s.Others = append(s.Others, h)
		default:
			continue
		}
		if s.signing[h.ID], err = l.Account.SigningSecret(ctx, h.ID); err != nil {
			return nil, err
		}
	}
	categories, err := l.Account.TriggerCategories(ctx)
	if s.NoCategories = zendesk.NoCategories(err); err != nil && !s.NoCategories {
		return nil, err
	}
	for _, c := range categories {
		if c.Name == l.Name() {
			s.Categories = append(s.Categories, c)
		}
	}
	triggers, err := l.Account.Triggers(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range triggers {
		switch {
		case strings.HasPrefix(t.Title, l.Name()+": "):
			s.Triggers = append(s.Triggers, t)
			continue
		case slices.ContainsFunc(t.Actions, func(a zendesk.Action) bool {
			id, _, ok := a.Webhook()
			return ok && slices.ContainsFunc(s.Webhooks, func(h zendesk.Webhook) bool { return h.ID == id })
		}):
			s.Foreign = append(s.Foreign, t)
		}
		if slices.ContainsFunc(s.Categories, func(c zendesk.TriggerCategory) bool { return c.ID == t.CategoryID }) {
			s.Guests = append(s.Guests, t)
		}
	}
	s.Secret, err = l.Secret.Read(ctx)
	return s, err
}

// wanted are the triggers of a webhook.
func (l *Link) wanted(webhook, category string) []zendesk.Trigger {
	tagged := zendesk.Condition{Field: "current_tags", Operator: "includes", Value: Tag}
	changed := func(field string) zendesk.Condition { return zendesk.Condition{Field: field, Operator: "changed"} }
	update := func(kind string) zendesk.Condition {
		return zendesk.Condition{Field: "update_type", Operator: "is", Value: kind}
	}
	made := func(title string, c zendesk.Conditions) zendesk.Trigger {
		return zendesk.Trigger{
			Title: l.Name() + ": " + title, Description: description, Active: true, CategoryID: category, Conditions: c,
			Actions: []zendesk.Action{zendesk.NotifyWebhook(webhook, triggerBody)},
		}
	}
	return []zendesk.Trigger{
		made("ticket made", zendesk.Conditions{All: []zendesk.Condition{tagged, update("Create")}, Any: []zendesk.Condition{}}),
		made("status or assignee changed", zendesk.Conditions{
			All: []zendesk.Condition{tagged, update("Change")},
			Any: []zendesk.Condition{changed("status"), changed("assignee_id"), changed("group_id")},
		}),
	}
}

// differs returns what is not as wanted about a trigger, "" if all is.
func differs(got, want zendesk.Trigger) string {
	switch {
	case !got.Active:
		return "is off"
	case !same(got.Conditions.All, want.Conditions.All) || !same(got.Conditions.Any, want.Conditions.Any):
		return "has other conditions"
	case len(got.Actions) != 1:
		return "has other actions"
	case want.CategoryID != "" && got.CategoryID != want.CategoryID:
		return "is in another category"
	}
	id, body, ok := got.Actions[0].Webhook()
	wantID, wantBody, _ := want.Actions[0].Webhook()
	if !ok || id != wantID || body != wantBody {
		return "sends something else, or by another webhook"
	}
	return ""
}

// same compares conditions without regard to their order. Zendesk returns the
// value of "changed" as null or as an empty text.
func same(got, want []zendesk.Condition) bool {
	key := func(c zendesk.Condition) string {
		value := ""
		if c.Value != nil {
			value = fmt.Sprint(c.Value)
		}
		return c.Field + " " + c.Operator + " " + value
	}
	keys := func(list []zendesk.Condition) (out []string) {
		for _, c := range list {
			out = append(out, key(c))
		}
		slices.Sort(out)
		return out
	}
	return slices.Equal(keys(got), keys(want))
}

// repairs returns the fields of our webhook that are not as they should be, and
// which they are. Its status is not among them.
func (l *Link) repairs(h zendesk.Webhook) (fields map[string]any, what []string) {
	fields = map[string]any{}
	set := func(name string, wrong bool, value any) {
		if wrong {
			fields[name] = value
			what = append(what, name)
		}
	}
	set("endpoint", h.Endpoint != l.Endpoint, l.Endpoint)
	set("http_method", h.Method != "POST", "POST")
	set("request_format", h.Format != "json", "json")
	if !h.OfTriggers() {
		got := slices.Sorted(slices.Values(h.Subscriptions))
		want := l.subscriptions()
		set("subscriptions", !slices.Equal(got, want), want)
	}
	return fields, what
}

// ErrRotating means that there are two webhooks of ours.
var ErrRotating = errors.New("a rotation is half-way: there are two webhooks of this stack; caseroom zendesk rotate ends it")

func (l *Link) converge(ctx context.Context, dry bool, plan func(*State) (converge.Steps, error)) ([]string, error) {
	return converge.Run(ctx, converge.Options{Dry: dry, Wait: l.Wait, Did: l.Did}, l.Observe, plan)
}

// foreign refuses to touch a webhook that somebody else's trigger sends by.
func (s *State) foreign() error {
	if len(s.Foreign) == 0 {
		return nil
	}
	t := s.Foreign[0]
	return fmt.Errorf("trigger %q (%d) is not caseroom's and sends by its webhook: change or delete it first", t.Title, t.ID)
}

// Up connects the account in one way, repairs what is not as it should be, and
// removes the other way's parts.
func (l *Link) Up(ctx context.Context, way Way, dry bool) (done []string, err error) {
	return l.converge(ctx, dry, func(s *State) (converge.Steps, error) { return l.planUp(s, way) })
}

func (l *Link) planUp(s *State, way Way) (steps converge.Steps, err error) {
	add := steps.Add
	var keep *zendesk.Webhook
	var drop []zendesk.Webhook
	for i := range s.Webhooks {
		switch h := &s.Webhooks[i]; {
		case wayOf(*h) != way:
			drop = append(drop, *h)
		case keep != nil:
			return nil, ErrRotating
		default:
			keep = h
		}
	}
	if err := s.foreign(); err != nil && len(drop) > 0 {
		return nil, err
	}
	var hook zendesk.Webhook // as later steps see it
	known := false
	if keep == nil {
		add("make the webhook "+l.Name(), func(ctx context.Context) (err error) {
			hook, err = l.makeWebhook(ctx, way)
			return err
		})
	} else {
		hook, known = *keep, s.known(*keep)
		if fields, what := l.repairs(hook); len(fields) > 0 {
			add("correct the webhook's "+strings.Join(what, ", "), func(ctx context.Context) error {
				return l.Account.UpdateWebhook(ctx, hook.ID, fields)
			})
		}
	}
	if !known {
		add("put its signing secret into "+l.Secret.ID, func(ctx context.Context) error { return l.learn(ctx, hook) })
	}
	if keep == nil || !keep.Active() {
		// Only now: what it sends before its secret is known would be refused.
		add("switch the webhook on", func(ctx context.Context) error {
			return l.Account.UpdateWebhook(ctx, hook.ID, map[string]any{"status": "active"})
		})
	}
	if way == Triggers {
		steps = append(steps, l.planTriggers(s, &hook)...)
	} else {
		steps = append(steps, l.dropTriggers(s)...)
	}
	return append(steps, l.dropWebhooks(s, drop)...), nil
}

// makeWebhook makes a webhook that sends nothing yet.
func (l *Link) makeWebhook(ctx context.Context, way Way) (zendesk.Webhook, error) {
	subscriptions := l.subscriptions()
	if way == Triggers {
		subscriptions = []string{zendesk.ConditionalEvents}
	}
	return l.Account.CreateWebhook(ctx, zendesk.Webhook{
		Name: l.Name(), Description: description, Endpoint: l.Endpoint, Status: "inactive", Subscriptions: subscriptions,
	})
}

// learn puts a webhook's signing secret beside those that are there.
func (l *Link) learn(ctx context.Context, h zendesk.Webhook) error {
	secret, err := l.Account.SigningSecret(ctx, h.ID)
	if err != nil {
		return err
	}
	_, err = l.Secret.Change(ctx, func(v *Value) { v.WebhookSecrets = With(v.WebhookSecrets, secret) })
	return err
}

// forget takes a webhook's signing secret away.
func (l *Link) forget(ctx context.Context, secret string) error {
	_, err := l.Secret.Change(ctx, func(v *Value) { v.WebhookSecrets = Without(v.WebhookSecrets, secret) })
	return err
}

// planTriggers makes and corrects the triggers that send by hook.
func (l *Link) planTriggers(s *State, hook *zendesk.Webhook) (steps converge.Steps) {
	add := steps.Add
	category := ""
	switch {
	case s.NoCategories:
	case len(s.Categories) > 0:
		category = s.Categories[0].ID
	default:
		add("make the trigger category "+l.Name(), func(ctx context.Context) error {
			c, err := l.Account.CreateTriggerCategory(ctx, l.Name())
			category = c.ID
			return err
		})
	}
	left := slices.Clone(s.Triggers)
	for i, want := range l.wanted(hook.ID, category) {
		at := slices.IndexFunc(left, func(t zendesk.Trigger) bool { return t.Title == want.Title })
		if at < 0 {
			add("make the trigger "+want.Title, func(ctx context.Context) error {
				return l.Account.CreateTrigger(ctx, l.wanted(hook.ID, category)[i])
			})
			continue
		}
		got := left[at]
		left = slices.Delete(left, at, at+1)
		if how := differs(got, want); how != "" {
			add("correct the trigger "+want.Title+", which "+how, func(ctx context.Context) error {
				t := l.wanted(hook.ID, category)[i]
				t.ID = got.ID
				return l.Account.UpdateTrigger(ctx, t)
			})
		}
	}
	for _, t := range left {
		add("delete the trigger "+t.Title, func(ctx context.Context) error { return l.Account.DeleteTrigger(ctx, t.ID) })
	}
	for _, c := range s.Categories[min(1, len(s.Categories)):] {
		if !slices.ContainsFunc(s.Guests, func(t zendesk.Trigger) bool { return t.CategoryID == c.ID }) {
			add("delete the second trigger category "+c.Name, func(ctx context.Context) error { return l.Account.DeleteTriggerCategory(ctx, c.ID) })
		}
	}
	return steps
}

// dropTriggers deletes our triggers and our category, unless somebody keeps
// triggers of their own in it.
func (l *Link) dropTriggers(s *State) (steps converge.Steps) {
	for _, t := range s.Triggers {
		steps.Add("delete the trigger "+t.Title, func(ctx context.Context) error { return l.Account.DeleteTrigger(ctx, t.ID) })
	}
	for _, c := range s.Categories {
		if !slices.ContainsFunc(s.Guests, func(t zendesk.Trigger) bool { return t.CategoryID == c.ID }) {
			steps.Add("delete the trigger category "+c.Name, func(ctx context.Context) error {
				return l.Account.DeleteTriggerCategory(ctx, c.ID)
			})
		}
	}
	return steps
}

// dropWebhooks switches webhooks off and deletes them and their secrets. The
// secret goes first: of a webhook that is gone nobody could say which it was.
func (l *Link) dropWebhooks(s *State, webhooks []zendesk.Webhook) (steps converge.Steps) {
	for _, h := range webhooks {
		if h.Active() {
			steps.Add("switch the webhook "+h.ID+" off", func(ctx context.Context) error {
				return l.Account.UpdateWebhook(ctx, h.ID, map[string]any{"status": "inactive"})
			})
		}
		if s.known(h) {
			steps.Add("take its signing secret out of "+l.Secret.ID, func(ctx context.Context) error {
				return l.forget(ctx, s.signing[h.ID])
			})
		}
		steps.Add("delete the webhook "+h.ID, func(ctx context.Context) error { return l.Account.DeleteWebhook(ctx, h.ID) })
	}
	return steps
}

// Down removes everything that Up made.
func (l *Link) Down(ctx context.Context, dry bool) (done []string, err error) {
	return l.converge(ctx, dry, func(s *State) (converge.Steps, error) {
		if err := s.foreign(); err != nil {
			return nil, err
		}
		return append(l.dropTriggers(s), l.dropWebhooks(s, s.Webhooks)...), nil
	})
}

// Rotate replaces the webhook by a second one with another signing secret. No
// event is lost: for wait, every function comes to know the new secret before
// anything is signed with it, and the old one stays for drain, while deliveries
// that failed are sent again. Whatever was cut off is gone on with.
func (l *Link) Rotate(ctx context.Context, wait, drain time.Duration, dry bool) (done []string, err error) {
	second := false // whether there was one yet
	return l.converge(ctx, dry, func(s *State) (converge.Steps, error) {
		if second = second || len(s.Webhooks) > 1; second && len(s.Webhooks) == 1 {
			return nil, nil
		}
		return l.planRotate(s, wait, drain, func() { second = true })
	})
}

func (l *Link) planRotate(s *State, wait, drain time.Duration, made func()) (steps converge.Steps, err error) {
	add := steps.Add
	n := len(s.Webhooks)
	if n == 0 {
		return nil, errors.New("there is no webhook of this stack: caseroom zendesk up makes one")
	}
	if err := s.foreign(); err != nil {
		return nil, err
	}
	way := s.Way()
	for _, h := range s.Webhooks {
		if wayOf(h) != way {
			return nil, errors.New("the account is half-way between events and triggers: caseroom zendesk up ends that")
		}
	}
	var hook zendesk.Webhook
	olds := s.Webhooks
	if n == 1 {
		add("make a second webhook", func(ctx context.Context) (err error) {
			if hook, err = l.makeWebhook(ctx, way); err == nil {
				made()
			}
			return err
		})
	} else {
		hook, olds = s.Webhooks[n-1], s.Webhooks[:n-1]
	}
	if n == 1 || !s.known(hook) {
		add("put its signing secret into "+l.Secret.ID, func(ctx context.Context) error {
			s.Secret.Changed = l.Now()
			return l.learn(ctx, hook)
		})
	}
	if n == 1 || !hook.Active() {
		add("wait until every function knows the new secret", func(ctx context.Context) error {
			return l.Wait(ctx, s.Secret.Changed.Add(wait).Sub(l.Now()), "functions read the new secret")
		})
		add("switch the new webhook on", func(ctx context.Context) error {
			return l.Account.UpdateWebhook(ctx, hook.ID, map[string]any{"status": "active"})
		})
	}
	if way == Triggers {
		steps = append(steps, l.planTriggers(s, &hook)...)
	}
	for _, old := range olds {
		since := old.UpdatedAt
		if old.Active() {
			add("switch the old webhook "+old.ID+" off", func(ctx context.Context) error {
				since = l.Now()
				return l.Account.UpdateWebhook(ctx, old.ID, map[string]any{"status": "inactive"})
			})
		}
		if s.known(old) {
			add("wait until nothing is sent again that the old secret signed", func(ctx context.Context) error {
				return l.Wait(ctx, since.Add(drain).Sub(l.Now()), "Zendesk repeats what failed")
			})
			add("take the old signing secret out of "+l.Secret.ID, func(ctx context.Context) error { return l.forget(ctx, s.signing[old.ID]) })
		}
		add("delete the old webhook "+old.ID, func(ctx context.Context) error { return l.Account.DeleteWebhook(ctx, old.ID) })
	}
	return steps, nil
}
