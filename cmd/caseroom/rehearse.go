package main

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/rehearsal"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/zendesk"
)

// verdict is what Sync would make of a ticket's room.
type verdict struct {
	Desk   relay.DeskName   `json:"desk"`
	Ticket string           `json:"ticket"`
	Group  string           `json:"groupId"`
	Steps  []rehearsal.Step `json:"steps"` // none: the room is right
	Error  string           `json:"error,omitempty"`
}

// errands is a queue whose hints are worked off in the same breath.
type errands struct {
	mu    sync.Mutex
	items []relay.SyncItem
}

func (q *errands) Send(_ context.Context, h relay.Hint) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.items = append(q.items, relay.SyncItem{Hint: h})
	return nil
}

// rehearse runs Sync, and what that has File do, over tickets without changing
// anything.
func (p *parts) rehearse(ctx context.Context, refs []relay.Ref) []verdict {
	script := &rehearsal.Script{Now: time.Now}
	desks := map[relay.DeskName]relay.TicketDesk{}
	for name, d := range p.desks {
		r := rehearsal.Desk{TicketDesk: d, Script: script}
		if name == relay.Zendesk {
			r.Older = p.older
		}
		desks[name] = r
	}
	var archive relay.Archive
	if p.archive != nil {
		archive = rehearsal.Archive{Archive: p.archive, Script: script}
	}
	rooms := rehearsal.Rooms{SyncRooms: p.rooms, Script: script}
	files := &errands{}
	s := p.process.Sync(p.Following, desks, rooms, files, archive)
	items := make([]relay.SyncItem, len(refs))
	for i, ref := range refs {
		items[i] = relay.SyncItem{Hint: relay.Hint{Ref: ref}}
	}
	errs := s.Run(ctx, items)
	f := p.process.File(p.Filing, boot.Table(p.Following), desks, rooms, &errands{}, archive)
	f.Pace = nil // nothing is written
	for i, err := range f.Run(ctx, files.items) {
		if k := slices.Index(refs, files.items[i].Ref); k >= 0 {
			errs[k] = errors.Join(errs[k], err)
		}
	}
	list := make([]verdict, len(refs))
	for i, ref := range refs {
		list[i] = verdict{Desk: ref.Desk, Ticket: ref.Ticket, Group: ref.GroupID(), Steps: script.Steps(ref.GroupID())}
		if errs[i] != nil {
			list[i].Error = strings.TrimPrefix(errs[i].Error(), "relay: ")
		}
		if list[i].Steps == nil {
			list[i].Steps = []rehearsal.Step{}
		}
	}
	return list
}

// older returns the oldest ticket of t's request, t's own id where t is that or
// was told of it already.
func (p *parts) older(ctx context.Context, t relay.Ticket) (string, error) {
	ids, err := p.zendesk.TicketsByExternalID(ctx, zendesk.ExternalID(t.Customer.UserID, t.Key))
	if err != nil || len(ids) < 2 || ids[0] == t.ID {
		return t.ID, err
	}
	n, err := strconv.ParseInt(t.ID, 10, 64)
	if err != nil {
		return t.ID, err
	}
	row, err := p.zendesk.ShowTicket(ctx, n)
	if err != nil || slices.Contains(row.Tags, zendesk.TagDuplicate) {
		return t.ID, err
	}
	return ids[0], nil
}
