package zendesk

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/caseroom/caseroom/shared/calendar"
	"github.com/caseroom/caseroom/shared/upstream"
)

// TaskDesk makes a Zendesk account a calendar.Desk.
type TaskDesk struct{ Client *Client }

var _ calendar.Desk = TaskDesk{}

// Host returns the account's configured host, port included.
func (d TaskDesk) Host() string { return d.Client.Host() }

// Tasks reads tickets, 100 a call, whatever their type.
func (d TaskDesk) Tasks(ctx context.Context, ids ...string) (map[string]calendar.Task, error) {
	var numbers []int64
	for _, id := range ids {
		if n, err := strconv.ParseInt(id, 10, 64); err == nil && n > 0 {
			numbers = append(numbers, n)
		}
	}
	tasks := map[string]calendar.Task{}
	for chunk := range slices.Chunk(numbers, maxMany) {
		rows, err := upstream.Retry(ctx, func(ctx context.Context) (map[int64]TicketRow, error) {
			rows, _, err := d.Client.ShowTickets(ctx, chunk)
			return rows, err
		})
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			t := d.task(row)
			tasks[t.ID] = t
		}
	}
	return tasks, nil
}

func (d TaskDesk) task(row TicketRow) calendar.Task {
	t := calendar.Task{
		ID: strconv.FormatInt(row.ID, 10), Subject: row.Subject, Due: row.DueAt,
		Task: row.Type == "task", Open: slices.Contains([]string{"new", "open", "pending", "hold"}, row.Status),
		Created: row.CreatedAt, Updated: row.UpdatedAt,
	}
	t.URL = d.Client.http.Base() + "/agent/tickets/" + t.ID
	if row.AssigneeID != 0 {
		t.Agent = strconv.FormatInt(row.AssigneeID, 10)
	}
	return t
}

// Gone reads the ticket alone.
func (d TaskDesk) Gone(ctx context.Context, id string) (bool, error) {
	n, err := number(id)
	if err != nil {
		return true, nil
	}
	row, err := upstream.Retry(ctx, func(ctx context.Context) (TicketRow, error) { return d.Client.ShowTicket(ctx, n) })
	if missingRecord(err) {
		return true, nil
	}
	return row.Status == "deleted", err
}

// Assignees returns everybody who ever had the ticket.
func (d TaskDesk) Assignees(ctx context.Context, id string) ([]string, error) {
	n, err := number(id)
	if err != nil {
		return nil, err
	}
	people, err := d.Client.Assignees(ctx, n)
	if err != nil {
		return nil, err
	}
	list := make([]string, len(people))
	for i, p := range people {
		list[i] = strconv.FormatInt(p, 10)
	}
	return list, nil
}

// Open searches for an agent's open, due tasks.
func (d TaskDesk) Open(ctx context.Context, agent string) ([]calendar.Task, error) {
	n, err := number(agent)
	if err != nil {
		return nil, err
	}
	query := "ticket_type:task assignee:" + strconv.FormatInt(n, 10) + " status<solved"
	var list []calendar.Task
	for page := ""; ; {
		var next string
		rows, err := upstream.Retry(ctx, func(ctx context.Context) (rows []TicketRow, err error) {
			rows, next, err = d.Client.SearchTickets(ctx, query, page)
			return rows, err
		})
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			// The index may be behind the row that it shows.
			if t := d.task(row); t.Owner() == agent {
				list = append(list, t)
			}
		}
		if next == "" {
			return list, nil
		}
		page = next
	}
}

// Zones reads agents' time zones.
func (d TaskDesk) Zones(ctx context.Context, agents ...string) (map[string]string, error) {
	var numbers []int64
	for _, id := range agents {
		if n, err := strconv.ParseInt(id, 10, 64); err == nil && n > 0 {
			numbers = append(numbers, n)
		}
	}
	zones := map[string]string{}
	for chunk := range slices.Chunk(numbers, maxMany) {
		people, err := upstream.Retry(ctx, func(ctx context.Context) (map[int64]Person, error) { return d.Client.ShowUsers(ctx, chunk) })
		if err != nil {
			return nil, err
		}
		for id, p := range people {
			zones[strconv.FormatInt(id, 10)] = p.Zone
		}
	}
	return zones, nil
}

// TaskEvents are the event types that a webhook has to have, beside those of a
// room's life, for calendars to follow within seconds.
var TaskEvents = []string{"created", "subject_changed", "task_due_at_changed", "type_changed"}

// DecodeTaskEvent reads the same notifications as [DecodeEvent], for calendars:
// ok is true when the ticket is a task, has just become one or ceased to be one,
// and for the second form, which does not say what it is. Whose the ticket is
// does not matter. A change of assignee names the agent who had it.
func DecodeTaskEvent(body []byte) (hint calendar.Hint, ok bool, err error) {
	e, named, err := decodeNotification(body)
	if err != nil {
		return calendar.Hint{}, false, err
	}
	hint.Task = named
	if named != "" {
		return hint, true, nil
	}
	kind, _ := value(e.Type).(string)
	kind, isTicket := strings.CutPrefix(kind, "zen:event-type:ticket.")
	subject, _ := value(e.Subject).(string)
	about, _ := strings.CutPrefix(subject, "zen:ticket:")
	detail, _ := value(e.Detail).(map[string]any)
	if hint.Task = ticketID(detail["id"]); hint.Task == "" {
		hint.Task = ticketID(about)
	}
	if !isTicket || hint.Task == "" {
		return calendar.Hint{}, false, nil
	}
	name, _ := detail["type"].(string)
	if kind != "type_changed" && !strings.EqualFold(name, "task") {
		return calendar.Hint{}, false, nil
	}
	if kind == "agent_assignment_changed" {
		event, _ := value(e.Event).(map[string]any)
		if before := ticketID(event["previous"]); before != "" {
			hint.Had = []string{before}
		}
	}
	return hint, true, nil
}
