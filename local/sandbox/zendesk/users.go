package zendesk

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caseroom/caseroom/local/sandbox/engine"
)

func (z *account) userByEmail(email string) *user {
	if email == "" {
		return nil
	}
	return z.byEmail[strings.ToLower(email)]
}

// userByExternalID matches without regard to case, as Zendesk does.
func (z *account) userByExternalID(id string) *user {
	if id == "" {
		return nil
	}
	return z.byExternal[strings.ToLower(id)]
}

// setKeys gives a user an address and an external id, "" leaving them as they are.
func (z *account) setKeys(u *user, email, externalID string) {
	if email != "" {
		delete(z.byEmail, u.Email)
		u.Email = strings.ToLower(email)
		z.byEmail[u.Email] = u
	}
	if externalID != "" {
		delete(z.byExternal, strings.ToLower(u.ExternalID))
		u.ExternalID = externalID // the stored case is rewritten
		z.byExternal[strings.ToLower(externalID)] = u
	}
}

func (z *account) addUser(name, email, externalID, role string) *user {
	z.nextID++
	now := z.Now()
	u := &user{
		ID: z.nextID, Name: name, Role: role, CreatedAt: now, UpdatedAt: now, Verified: role != "end-user",
	}
	z.users[u.ID] = u
	z.setKeys(u, email, externalID)
	return u
}

func (z *account) viewUser(u *user) map[string]any {
	return map[string]any{
		"id": u.ID, "url": z.url("/api/v2/users/" + strconv.FormatInt(u.ID, 10) + ".json"),
		"name": u.Name, "email": engine.OrNull(u.Email), "external_id": engine.OrNull(u.ExternalID),
		"role": u.Role, "active": true, "suspended": u.Suspended, "verified": u.Verified,
		"created_at": timeText(u.CreatedAt), "updated_at": timeText(u.UpdatedAt),
		"time_zone": cmp.Or(u.Zone, "UTC"), "iana_time_zone": cmp.Or(u.Zone, "Etc/UTC"), "locale": "en-US", "tags": []string{}, "shared": false,
	}
}

// createOrUpdateUser is POST /api/v2/users/create_or_update: 201 for a new
// user, 200 for one matched by e-mail or external id.
//
// See https://developer.zendesk.com/api-reference/ticketing/users/users/#create-or-update-user.
func (z *account) createOrUpdateUser(w http.ResponseWriter, r *http.Request, c caller) {
	if c.user.Role != "admin" {
		forbidden(w)
		return
	}
	o, _, ok := readWrapped(w, r, "user")
	if !ok {
		return
	}
	name, email, external, role := o.str("name"), o.str("email"), o.str("external_id"), o.str("role")
	o.flag("skip_verify_email", false)
	if !o.ok(w) {
		return
	}
	invalid := invalidRecord{}
	if email != "" && !engine.ValidEmail(email) {
		invalid.add("email", "InvalidFormat", "Email: "+email+" is not properly formatted")
	}
	if role != "" && role != "end-user" && role != "agent" && role != "admin" {
		invalid.add("role", "InvalidValue", "Role: is invalid")
	}
	if len(external) > 255 {
		invalid.add("external_id", "TooLong", "External: is too long (maximum is 255 characters)")
	}
	byEmail, byExternal := z.userByEmail(email), z.userByExternalID(external)
	if byEmail != nil && byExternal != nil && byEmail != byExternal {
		invalid.add("email", "DuplicateValue", "Email: "+email+" is already being used by another user")
	}
	u := byEmail
	if u == nil {
		u = byExternal
	}
	if u == nil && strings.TrimSpace(name) == "" {
		invalid.add("name", "BlankValue", "Name: is too short (minimum is 1 character)")
	}
	if len(invalid) > 0 {
		invalid.write(w)
		return
	}
	status := http.StatusOK
	if u == nil {
		status = http.StatusCreated
		if role == "" {
			role = "end-user"
		}
		u = z.addUser(name, email, external, role)
	} else {
		if strings.TrimSpace(name) != "" {
			u.Name = name
		}
		z.setKeys(u, email, external)
		if role != "" {
			u.Role = role
		}
		u.UpdatedAt = z.Now()
	}
	view := z.viewUser(u)
	w.Header().Set("Location", view["url"].(string))
	write(w, status, map[string]any{"user": view})
}

// me is GET /api/v2/users/me, which answers 200 to anonymous callers too.
//
// See https://developer.zendesk.com/api-reference/ticketing/users/users/#show-self.
func (z *account) me(w http.ResponseWriter, r *http.Request) {
	z.Lock()
	defer z.Unlock()
	c, ok := z.authenticate(w, r)
	if !ok {
		return
	}
	if c.user == nil {
		write(w, http.StatusOK, map[string]any{"user": map[string]any{
			"id": nil, "name": "Anonymous user", "email": "invalid@example.com", "role": "end-user",
			"verified": false, "created_at": timeText(time.Unix(0, 0)),
		}})
		return
	}
	if !c.allows("users:read") {
		fail(w, http.StatusForbidden, "Forbidden", "Missing the following required scopes: read")
		return
	}
	view := z.viewUser(c.user)
	view["authenticity_token"] = z.ID(22)
	write(w, http.StatusOK, map[string]any{"user": view})
}

func (z *account) showUser(w http.ResponseWriter, r *http.Request, _ caller) {
	id, ok := pathID(w, r)
	if !ok {
		return
	}
	u := z.users[id]
	if u == nil {
		fail(w, http.StatusNotFound, "RecordNotFound", "Not found")
		return
	}
	write(w, http.StatusOK, map[string]any{"user": z.viewUser(u)})
}

func (z *account) showManyUsers(w http.ResponseWriter, r *http.Request, _ caller) {
	q := r.URL.Query()
	users := []any{}
	switch {
	case q.Has("ids"):
		ids, ok := idList(q.Get("ids"))
		if !ok {
			invalidAttribute(w, "ids", "Must be a list of integers")
			return
		}
		if len(ids) > 100 {
			fail(w, http.StatusBadRequest, "TooManyIds", "No more than 100 ids")
			return
		}
		for _, id := range ids {
			if u := z.users[id]; u != nil {
				users = append(users, z.viewUser(u))
			}
		}
	case q.Has("external_ids"):
		for id := range strings.SplitSeq(q.Get("external_ids"), ",") {
			if u := z.userByExternalID(id); u != nil {
				users = append(users, z.viewUser(u))
			}
		}
	default:
		failTitled(w, http.StatusBadRequest, "Invalid attribute", "Parameter ids is required")
		return
	}
	write(w, http.StatusOK, map[string]any{"users": users, "count": len(users), "next_page": nil, "previous_page": nil})
}

// listUsers is GET /api/v2/users: all of them, on one page, by role if asked.
//
// See https://developer.zendesk.com/api-reference/ticketing/users/users/#list-users.
func (z *account) listUsers(w http.ResponseWriter, r *http.Request, _ caller) {
	q := r.URL.Query()
	roles := q["role[]"]
	if role := q.Get("role"); role != "" {
		roles = append(roles, role)
	}
	list := []any{}
	for _, u := range sorted(z.users) {
		if len(roles) == 0 || slices.Contains(roles, u.Role) {
			list = append(list, z.viewUser(u))
		}
	}
	write(w, http.StatusOK, map[string]any{"users": list, "count": len(list), "next_page": nil, "previous_page": nil})
}
