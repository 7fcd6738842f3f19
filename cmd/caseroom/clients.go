package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/cli"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/boot/bootarchive"
	"github.com/caseroom/caseroom/shared/boot/bootdesks"
	"github.com/caseroom/caseroom/shared/boot/bootqueue"
	"github.com/caseroom/caseroom/shared/boot/boottencent"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/salesforce"
	"github.com/caseroom/caseroom/shared/secrets"
	"github.com/caseroom/caseroom/shared/sqsqueue"
	"github.com/caseroom/caseroom/shared/tencentim"
	"github.com/caseroom/caseroom/shared/zendesk"
)

// settings are what the commands read of a stack's variables.
type settings struct {
	config.Zendesk
	config.ZendeskAdmin
	config.Salesforce
	config.Tencent
	config.Following
	config.Hosts
	config.Queue
	config.DeadLetters
	config.BulkQueue
	config.FileQueue
	config.Filing
	config.Windows
	config.Pages
	config.CalendarQueue
}

// parts are the desks, the chat and the queue of a stack, as its functions have
// them and with the operator's AWS credentials.
type parts struct {
	settings
	process    *boot.Process
	stack      *stack
	secrets    *secrets.Store
	zendesk    *zendesk.Client    // nil: the stack has no such desk
	admin      *zendesk.Client    // zendesk with an admin's credentials
	salesforce *salesforce.Client // nil: the stack has no such desk
	found      bootdesks.Desks
	desks      map[relay.DeskName]relay.TicketDesk
	chat       *tencentim.Client
	rooms      tencentim.Rooms
	archive    relay.Archive // nil: there is none
	sqs        *sqs.Client
}

// parts makes the clients of a stack. It makes no call.
func (s *stack) parts() (*parts, error) {
	process := s.process()
	p := &parts{process: process, stack: s, secrets: process.Secrets, sqs: sqs.NewFromConfig(s.AWS)}
	if err := s.load(&p.settings); err != nil {
		return nil, err
	}
	var err error
	p.found, err = bootdesks.New(process, bootdesks.Options{
		Zendesk:    p.Zendesk,
		Salesforce: p.Salesforce,
		Admin:      p.ZendeskAdmin,
		Omni:       p.Omni,
	})
	if err != nil {
		return nil, err
	}
	p.desks = p.found.Tickets()
	if d := p.found.Zendesk; d != nil {
		p.zendesk = d.Client
		p.admin = cmp.Or(d.Admin, d.Client)
	}
	if d := p.found.Salesforce; d != nil {
		p.salesforce = d.Client
	}
	if p.rooms, err = boottencent.Rooms(process, p.Tencent, p.Former...); err != nil {
		return nil, err
	}
	p.chat = p.rooms.Client
	p.archive = bootarchive.Archive(process, p.Lifecycle)
	return p, nil
}

// queue is where hints go. A stack without one cannot be told anything.
func (p *parts) queue() (*sqsqueue.Queue[relay.Hint], error) {
	if p.Queue.URL == "" {
		return nil, fmt.Errorf("SYNC_QUEUE_URL is not set: the stack has no queue of tickets")
	}
	return bootqueue.Of[relay.Hint](p.process, p.Queue.URL), nil
}

// bulk is where hints go that nobody waits for.
func (p *parts) bulk() (*sqsqueue.Queue[relay.Hint], error) {
	if p.BulkQueue.URL == "" {
		return p.queue() // the stack is older than the command
	}
	return bootqueue.Of[relay.Hint](p.process, p.BulkQueue.URL), nil
}

// desk returns a desk by the name that --desk gave.
func (p *parts) desk(name string) (relay.TicketDesk, error) {
	d, ok := p.desks[relay.DeskName(name)]
	if !ok {
		return nil, cli.Usagef("the stack has no desk %q, only %s", name, strings.Join(p.deskNames(), " and "))
	}
	return d, nil
}

func (p *parts) deskNames() []string {
	var names []string
	for name := range p.desks {
		names = append(names, string(name))
	}
	slices.Sort(names)
	return names
}

// ticket reads how a ticket is named on the command line: a group id, desk:id,
// or the desk's own id. Their forms differ, so a desk that is named as well must
// be the same one.
func (p *parts) ticket(arg, desk string) (relay.Ref, error) {
	id := arg
	if name, rest, ok := strings.Cut(arg, ":"); ok {
		if desk != "" && desk != name {
			return relay.Ref{}, cli.Usagef("%s is not a ticket of %s", arg, desk)
		}
		desk, id = name, rest
	}
	ref, err := relay.ParseGroupID(id)
	if err != nil {
		ref, err = relay.ParseGroupID("ZENDESK#" + id)
	}
	if err != nil {
		return ref, cli.Usagef("%s names no ticket: give a group id (ZENDESK#123, or a Case's id), zendesk:123 or salesforce:500…", arg)
	}
	if desk != "" && desk != string(ref.Desk) {
		return ref, cli.Usagef("%s is not a ticket of %s", arg, desk)
	}
	_, err = p.desk(string(ref.Desk))
	return ref, err
}
