package boot

import (
	"time"

	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/relay"
)

// The operations of a stack. Functions, the command and the tests make them here,
// so that a setting means the same to all of them.

// CreateTicket returns the operation that makes tickets and their rooms.
func (p *Process) CreateTicket(c config.Rooms, rooms relay.Rooms, queue relay.Queue) *relay.CreateTicket {
	return &relay.CreateTicket{
		Rooms:        rooms,
		Queue:        queue,
		Meter:        p.Meter,
		Now:          p.Now,
		Random:       p.Entropy,
		SubjectNames: c.SubjectNames(),
	}
}

// Members returns the operation that moves agents into rooms and out of them.
func (p *Process) Members(rooms relay.Rooms, queue relay.Queue) *relay.Members {
	return &relay.Members{
		Rooms: rooms,
		Queue: queue,
		Meter: p.Meter,
		Now:   p.Now,
	}
}

// Dissolve returns the operation that files transcripts and dissolves rooms.
// archive is nil where there is no bucket.
func (p *Process) Dissolve(desks map[relay.DeskName]relay.TicketDesk, rooms relay.SyncRooms, archive relay.Archive) *relay.Dissolve {
	return &relay.Dissolve{
		Desks:       desks,
		Rooms:       rooms,
		Transcripts: p.transcripts(rooms, archive),
	}
}

// Sync returns the operation that makes rooms what their tickets say. files is the
// queue of File; archive is nil where there is no bucket.
func (p *Process) Sync(c config.Following, desks map[relay.DeskName]relay.TicketDesk, rooms relay.SyncRooms, files relay.Queue, archive relay.Archive) *relay.Sync {
	return &relay.Sync{
		Desks:       desks,
		Rooms:       rooms,
		Files:       files,
		Transcripts: p.transcripts(rooms, archive),
		Table:       Table(c),
		Texts:       relay.Texts{Language: c.NoticeLanguage, Table: c.Texts()},
		Meter:       p.Meter,
		Now:         p.Now,
	}
}

// Filers is how many processes file at once. template.yaml says the same.
const Filers = 2

// File returns the operation that files transcripts, within its share of the desk's
// writes. live is the queue of Sync; archive is nil where there is no bucket.
func (p *Process) File(c config.Filing, t relay.Table, desks map[relay.DeskName]relay.TicketDesk, rooms relay.SyncRooms, live relay.Queue, archive relay.Archive) *relay.File {
	return &relay.File{
		Desks:         desks,
		Rooms:         rooms,
		Transcripts:   p.transcripts(rooms, archive),
		Live:          live,
		Table:         t,
		Meter:         p.Meter,
		Now:           p.Now,
		Pace:          map[relay.DeskName]time.Duration{relay.Zendesk: relay.Pace(c.WritesPerMinute, Filers)},
		TicketTimeout: 90 * time.Second,
	}
}

// Reconcile returns the operation that looks for changes nobody told of.
func (p *Process) Reconcile(t relay.Table, desks map[relay.DeskName]relay.ChangeDesk, rooms relay.RoomReader, queue relay.HintQueue) *relay.Reconcile {
	return &relay.Reconcile{
		Desks: desks,
		Rooms: rooms,
		Queue: queue,
		Table: t,
		Meter: p.Meter,
		Now:   p.Now,
	}
}

// Sweep returns the operation that looks at every room and dissolves old ones.
func (p *Process) Sweep(c config.Lifecycle, t relay.Table, desks map[relay.DeskName]relay.SweepDesk, rooms relay.SweepRooms, queue relay.HintQueue) *relay.Sweep {
	return &relay.Sweep{
		Desks:         desks,
		Rooms:         rooms,
		Queue:         queue,
		Table:         t,
		Meter:         p.Meter,
		Now:           p.Now,
		DissolveAfter: c.DissolveAfter,
		HistoryDays:   c.HistoryDays,
	}
}

func (p *Process) transcripts(rooms relay.SyncRooms, archive relay.Archive) *relay.Transcripts {
	return &relay.Transcripts{
		Rooms:   rooms,
		Archive: archive,
		Meter:   p.Meter,
	}
}

// Table returns the table of states that rooms follow.
func Table(c config.Following) relay.Table {
	return relay.Table{
		Rules:        Rules(c.Identities),
		Calls:        c.Calls(),
		SolvedOpen:   c.SolvedOpen(),
		Archive:      c.TranscriptBucket != "",
		SubjectNames: c.SubjectNames(),
	}
}
