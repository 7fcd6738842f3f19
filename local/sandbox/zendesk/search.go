package zendesk

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// searchCursorLife is how long a cursor of the search export lives.
const searchCursorLife = time.Hour

var searchTerm = regexp.MustCompile(`^(tags|status|ticket_type|assignee)(:|<=|>=|<|>)([a-z0-9_]+)$`)

// searchExport is GET /api/v2/search/export, as far as tickets are searched by
// tags, status, type and assignee: by the time of their making, page by page without an end,
// from an index that may lag and knows no deleted tickets. filter[type] says
// what is searched; a type in the query is refused. The scope read is needed:
// none of search exists, and tickets:read is not enough.
//
// See https://developer.zendesk.com/api-reference/ticketing/ticket-management/search/#export-search-results.
func (z *account) searchExport(w http.ResponseWriter, r *http.Request, _ caller) {
	if !z.admit(w, "search_export", z.limits.SearchExport, time.Minute) {
		return
	}
	q := r.URL.Query()
	if q.Get("filter[type]") != "ticket" {
		failTitled(w, http.StatusBadRequest, "Invalid attribute", "Parameter filter[type] is required and must be one of ticket, organization, user, or group")
		return
	}
	match, ok := parseSearch(q.Get("query"))
	if !ok {
		fail(w, http.StatusUnprocessableEntity, "invalid", "Invalid search: the stand-in knows terms of tags, status, ticket_type and assignee, and no type here")
		return
	}
	size := 100
	if raw := q.Get("page[size]"); raw != "" {
		n, err := strconv.Atoi(raw)
		if err != nil || n < 1 || n > 1000 {
			invalidAttribute(w, "page[size]", "Must be 1 to 1000")
			return
		}
		size = n
	}
	var last, made int64
	if raw := q.Get("page[after]"); raw != "" {
		b, err := base64.RawURLEncoding.DecodeString(raw)
		if n, scanErr := fmt.Sscanf(string(b), "s:%d:%d", &last, &made); err != nil || scanErr != nil || n != 2 {
			fail(w, http.StatusBadRequest, "InvalidPaginationParameter", "page[after] is invalid")
			return
		}
		if z.Now().Sub(time.Unix(made, 0)) > searchCursorLife {
			fail(w, http.StatusBadRequest, "InvalidPaginationParameter", "page[after] has expired")
			return
		}
	}
	horizon := z.Now().Add(-z.searchLag)
	rows := slices.DeleteFunc(sorted(z.tickets), func(t *ticketRecord) bool {
		return t.deleted() || z.unseen(t) || t.ID <= last || t.CreatedAt.After(horizon) || !match(t)
	})
	slices.SortFunc(rows, func(a, b *ticketRecord) int { return cmp.Compare(a.ID, b.ID) })
	more := len(rows) > size
	rows = rows[:min(len(rows), size)]
	list := []any{}
	for _, t := range rows {
		view := z.viewTicket(t)
		view["result_type"] = "ticket"
		list = append(list, view)
		last = t.ID
	}
	meta := map[string]any{"has_more": more, "after_cursor": nil, "before_cursor": nil}
	links := map[string]any{"next": nil, "prev": nil}
	if len(rows) > 0 {
		after := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "s:%d:%d", last, z.Now().Unix()))
		meta["after_cursor"] = after
		if more {
			next := r.URL.Query()
			next.Set("page[after]", after)
			links["next"] = z.url("/api/v2/search/export.json?" + next.Encode())
		}
	}
	write(w, http.StatusOK, map[string]any{"results": list, "meta": meta, "links": links, "facets": nil})
}

// parseSearch reads a query of terms that all must hold.
func parseSearch(query string) (func(*ticketRecord) bool, bool) {
	var tests []func(*ticketRecord) bool
	for _, term := range strings.Fields(query) {
		m := searchTerm.FindStringSubmatch(term)
		if m == nil {
			return nil, false
		}
		field, op, value := m[1], m[2], m[3]
		if field == "tags" {
			if op != ":" {
				return nil, false
			}
			tests = append(tests, func(t *ticketRecord) bool { return slices.Contains(t.Tags, value) })
			continue
		}
		if field != "status" {
			if op != ":" || (field == "ticket_type" && !slices.Contains(ticketTypes, value)) {
				return nil, false
			}
			tests = append(tests, func(t *ticketRecord) bool {
				return field == "ticket_type" && t.Type == value || field == "assignee" && strconv.FormatInt(t.AssigneeID, 10) == value
			})
			continue
		}
		want := slices.Index(statuses, value)
		if want < 0 {
			return nil, false
		}
		tests = append(tests, func(t *ticketRecord) bool {
			switch c := cmp.Compare(slices.Index(statuses, t.Status), want); op {
			case "<":
				return c < 0
			case "<=":
				return c <= 0
			case ">":
				return c > 0
			case ">=":
				return c >= 0
			default:
				return c == 0
			}
		})
	}
	return func(t *ticketRecord) bool {
		for _, test := range tests {
			if !test(t) {
				return false
			}
		}
		return true
	}, len(tests) > 0
}

// SetSearchLag says how long a new ticket takes to reach the search's index;
// at once, if nobody says.
func (d Desk) SetSearchLag(lag time.Duration) {
	d.z.Lock()
	defer d.z.Unlock()
	d.z.searchLag = lag
}
