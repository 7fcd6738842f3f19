package sandbox

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

var zdSearchTerm = regexp.MustCompile(`^(tags|status|ticket_type|assignee)(:|<=|>=|<|>)([a-z0-9_]+)$`)

// searchExport is GET /api/v2/search/export, as far as tickets are searched by
// tags, status, type and assignee: by the time of their making, page by page without an end,
// from an index that may lag and knows no deleted tickets. filter[type] says
// what is searched; a type in the query is refused. The scope read is needed:
// none of search exists, and tickets:read is not enough.
//
// See https://developer.zendesk.com/api-reference/ticketing/ticket-management/search/#export-search-results.
func (z *zendesk) searchExport(w http.ResponseWriter, r *http.Request, _ zdCaller) {
	if !z.admit(w, "search_export", z.limits.SearchExport, time.Minute) {
		return
	}
	q := r.URL.Query()
	if q.Get("filter[type]") != "ticket" {
		zdTitled(w, http.StatusBadRequest, "Invalid attribute", "Parameter filter[type] is required and must be one of ticket, organization, user, or group")
		return
	}
	match, ok := zdSearch(q.Get("query"))
	if !ok {
		zdFail(w, http.StatusUnprocessableEntity, "invalid", "Invalid search: the stand-in knows terms of tags, status, ticket_type and assignee, and no type here")
		return
	}
	size := 100
	if raw := q.Get("page[size]"); raw != "" {
		n, err := strconv.Atoi(raw)
		if err != nil || n < 1 || n > 1000 {
			zdInvalidAttribute(w, "page[size]", "Must be 1 to 1000")
			return
		}
		size = n
	}
	var last, made int64
	if raw := q.Get("page[after]"); raw != "" {
		b, err := base64.RawURLEncoding.DecodeString(raw)
		if n, scanErr := fmt.Sscanf(string(b), "s:%d:%d", &last, &made); err != nil || scanErr != nil || n != 2 {
			zdFail(w, http.StatusBadRequest, "InvalidPaginationParameter", "page[after] is invalid")
			return
		}
		if z.Now().Sub(time.Unix(made, 0)) > searchCursorLife {
			zdFail(w, http.StatusBadRequest, "InvalidPaginationParameter", "page[after] has expired")
			return
		}
	}
	horizon := z.Now().Add(-z.searchLag)
	rows := slices.DeleteFunc(zdSorted(z.tickets), func(t *zendeskTicket) bool {
		return t.deleted() || t.hidden || t.ID <= last || t.CreatedAt.After(horizon) || !match(t)
	})
	slices.SortFunc(rows, func(a, b *zendeskTicket) int { return cmp.Compare(a.ID, b.ID) })
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
	zdWrite(w, http.StatusOK, map[string]any{"results": list, "meta": meta, "links": links, "facets": nil})
}

// zdSearch reads a query of terms that all must hold.
func zdSearch(query string) (func(*zendeskTicket) bool, bool) {
	var tests []func(*zendeskTicket) bool
	for _, term := range strings.Fields(query) {
		m := zdSearchTerm.FindStringSubmatch(term)
		if m == nil {
			return nil, false
		}
		field, op, value := m[1], m[2], m[3]
		if field == "tags" {
			if op != ":" {
				return nil, false
			}
			tests = append(tests, func(t *zendeskTicket) bool { return slices.Contains(t.Tags, value) })
			continue
		}
		if field != "status" {
			if op != ":" || (field == "ticket_type" && !slices.Contains(zdTypes, value)) {
				return nil, false
			}
			tests = append(tests, func(t *zendeskTicket) bool {
				return field == "ticket_type" && t.Type == value || field == "assignee" && strconv.FormatInt(t.AssigneeID, 10) == value
			})
			continue
		}
		want := slices.Index(zdStatuses, value)
		if want < 0 {
			return nil, false
		}
		tests = append(tests, func(t *zendeskTicket) bool {
			switch c := cmp.Compare(slices.Index(zdStatuses, t.Status), want); op {
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
	return func(t *zendeskTicket) bool {
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
func (d ZendeskDesk) SetSearchLag(lag time.Duration) {
	d.z.Lock()
	defer d.z.Unlock()
	d.z.searchLag = lag
}
