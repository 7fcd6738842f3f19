// Package bootdesks is the desks of a stack, apart from [boot] so that only
// functions which serve both link both clients.
package bootdesks

import (
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/boot/bootsalesforce"
	"github.com/caseroom/caseroom/shared/boot/bootzendesk"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/salesforce"
	"github.com/caseroom/caseroom/shared/zendesk"
)

// Requests returns the desks that take customers' requests, by name.
func Requests(p *boot.Process, z config.Zendesk, s config.Salesforce, cases config.NewCases) (map[relay.DeskName]relay.Desk, error) {
	desks := map[relay.DeskName]relay.Desk{}
	if z.BaseURL != "" {
		client, err := bootzendesk.Client(p, z)
		if err != nil {
			return nil, err
		}
		desks[relay.Zendesk] = zendesk.Desk{Client: client}
	}
	if s.BaseURL != "" {
		client, err := bootsalesforce.Client(p, s)
		if err != nil {
			return nil, err
		}
		desks[relay.Salesforce] = salesforce.Desk{Client: client, FallbackEmail: cases.FallbackEmail}
	}
	return desks, nil
}

// Options say how a stack's tickets are read.
type Options struct {
	config.Zendesk
	config.Salesforce
	// Admin is Zendesk's credentials with an admin's role; without a secret of its
	// own it is Zendesk.
	Admin config.ZendeskAdmin
	// Omni lets Omni-Channel's open work count as assignment.
	Omni bool
}

// Desks are the desks whose tickets have rooms. A field is nil where the stack has
// no such desk.
type Desks struct {
	Zendesk    *zendesk.SyncDesk
	Salesforce *salesforce.SyncDesk
}

// New makes the desks. It makes no call.
func New(p *boot.Process, o Options) (d Desks, err error) {
	if o.Zendesk.BaseURL != "" {
		d.Zendesk = &zendesk.SyncDesk{}
		if d.Zendesk.Client, err = bootzendesk.Client(p, o.Zendesk); err != nil {
			return Desks{}, err
		}
		if o.Admin.Secret != "" && o.Admin.Secret != o.Zendesk.Secret {
			admin := config.Zendesk{BaseURL: o.Zendesk.BaseURL, Secret: o.Admin.Secret}
			if d.Zendesk.Admin, err = bootzendesk.Client(p, admin); err != nil {
				return Desks{}, err
			}
		}
	}
	if o.Salesforce.BaseURL != "" {
		d.Salesforce = &salesforce.SyncDesk{Omni: o.Omni}
		if d.Salesforce.Client, err = bootsalesforce.Client(p, o.Salesforce); err != nil {
			return Desks{}, err
		}
	}
	return d, nil
}

// Tickets returns the desks as Sync and Dissolve need them.
func (d Desks) Tickets() map[relay.DeskName]relay.TicketDesk {
	return named(d, func(x desk) relay.TicketDesk { return x })
}

// Changes returns the desks as Reconcile needs them.
func (d Desks) Changes() map[relay.DeskName]relay.ChangeDesk {
	return named(d, func(x desk) relay.ChangeDesk { return x })
}

// Swept returns the desks as Sweep needs them.
func (d Desks) Swept() map[relay.DeskName]relay.SweepDesk {
	return named(d, func(x desk) relay.SweepDesk { return x })
}

type desk interface {
	relay.TicketDesk
	relay.ChangeDesk
	relay.SweepDesk
}

func named[D any](d Desks, as func(desk) D) map[relay.DeskName]D {
	list := map[relay.DeskName]D{}
	if d.Zendesk != nil {
		list[relay.Zendesk] = as(d.Zendesk)
	}
	if d.Salesforce != nil {
		list[relay.Salesforce] = as(d.Salesforce)
	}
	return list
}
