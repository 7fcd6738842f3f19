package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/cli"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/boot/bootsalesforce"
	"github.com/caseroom/caseroom/shared/boot/boottencent"
	"github.com/caseroom/caseroom/shared/boot/bootzendesk"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/s3archive"
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
	config.Rooms
	config.Identities
	config.Lifecycle
	config.Notices
	config.Queue
	config.DeadLetters
	config.Windows
	config.Pages
	config.CalendarQueue
}

// parts are the desks, the chat and the queue of a stack, as its functions have
// them and with the operator's AWS credentials.
type parts struct {
	settings
	stack      *stack
	secrets    *secrets.Store
	zendesk    *zendesk.Client    // nil: the stack has no such desk
	admin      *zendesk.Client    // zendesk with an admin's credentials
	salesforce *salesforce.Client // nil: the stack has no such desk
	desks      map[relay.DeskName]relay.TicketDesk
	chat       *tencentim.Client
	rooms      tencentim.Rooms
	archive    relay.Archive // nil: there is none
	sqs        *sqs.Client
}

// parts makes the clients of a stack. It makes no call.
func (s *stack) parts() (*parts, error) {
	p := &parts{stack: s, secrets: s.secrets(), desks: map[relay.DeskName]relay.TicketDesk{}, sqs: sqs.NewFromConfig(s.AWS)}
	if err := s.load(&p.settings); err != nil {
		return nil, err
	}
	process := &boot.Process{AWS: s.AWS, Secrets: p.secrets}
	var err error
	if p.Zendesk.BaseURL != "" {
		if p.zendesk, err = bootzendesk.Client(process, p.Zendesk); err != nil {
			return nil, err
		}
		p.admin = p.zendesk
		if p.ZendeskAdmin.Secret != p.Zendesk.Secret {
			if p.admin, err = bootzendesk.Client(process, config.Zendesk{BaseURL: p.Zendesk.BaseURL, Secret: p.ZendeskAdmin.Secret}); err != nil {
				return nil, err
			}
		}
		p.desks[relay.Zendesk] = &zendesk.SyncDesk{Client: p.zendesk, Admin: p.admin}
	}
	if p.Salesforce.BaseURL != "" {
		if p.salesforce, err = bootsalesforce.Client(process, p.Salesforce); err != nil {
			return nil, err
		}
		p.desks[relay.Salesforce] = &salesforce.SyncDesk{Client: p.salesforce, Omni: p.Omni}
	}
	if p.rooms, err = boottencent.Rooms(process, p.Tencent); err != nil {
		return nil, err
	}
	p.chat = p.rooms.Client
	if p.TranscriptBucket != "" {
		p.archive = s3archive.New(s.AWS, p.TranscriptBucket)
	}
	return p, nil
}

// sync is the stack's Sync over these desks and rooms.
func (p *parts) sync(desks map[relay.DeskName]relay.TicketDesk, rooms relay.SyncRooms, archive relay.Archive, meter relay.Meter) *relay.Sync {
	return &relay.Sync{
		Desks: desks, Rooms: rooms, Transcripts: &relay.Transcripts{Rooms: rooms, Archive: archive, Meter: meter},
		Table: p.table(), Texts: relay.Texts{Language: p.NoticeLanguage, Table: p.Texts()},
		Meter: meter, Now: time.Now,
	}
}

// table is the table of states, as the stack is configured.
func (p *parts) table() relay.Table {
	t := boot.Table(p.Identities, p.Lifecycle)
	t.SubjectNames = p.settings.Rooms.SubjectNames()
	return t
}

// queue is where hints go. A stack without one cannot be told anything.
func (p *parts) queue() (*sqsqueue.Queue[relay.Hint], error) {
	if p.Queue.URL == "" {
		return nil, fmt.Errorf("SYNC_QUEUE_URL is not set: the stack has no queue of tickets")
	}
	return sqsqueue.New[relay.Hint](p.sqs, p.Queue.URL, boot.NewID), nil
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
