package zendesk

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

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
		"ticket_restriction": engine.OrNull(u.restriction), "restricted_agent": u.restriction != "", "only_private_comments": u.light,
	}
}

// readUser reads the user of a request and collects what is wrong with its
// fields by themselves.
func (z *account) readUser(w http.ResponseWriter, r *http.Request, c caller) (in user, invalid invalidRecord, ok bool) {
	if c.user.Role != "admin" {
		forbidden(w)
		return in, nil, false
	}
	o, _, ok := readWrapped(w, r, "user")
	if !ok {
		return in, nil, false
	}
	in = user{Name: o.str("name"), Email: o.str("email"), ExternalID: o.str("external_id"), Role: o.str("role")}
	o.flag("skip_verify_email", false)
	if !o.ok(w) {
		return in, nil, false
	}
	invalid = invalidRecord{}
	if in.Email != "" && !engine.ValidEmail(in.Email) {
		invalid.add("email", "InvalidFormat", "Email: "+in.Email+" is not properly formatted")
	}
	if in.Role != "" && in.Role != "end-user" && in.Role != "agent" && in.Role != "admin" {
		invalid.add("role", "InvalidValue", "Role: is invalid")
	}
	if len(in.ExternalID) > 255 {
		invalid.add("external_id", "TooLong", "External: is too long (maximum is 255 characters)")
	}
	return in, invalid, true
}

func (invalid invalidRecord) blankName() {
	invalid.add("name", "BlankValue", "Name: is too short (minimum is 1 character)")
}

// blank reports whether nothing of a name can be seen, which Zendesk takes for
// none.
func blank(name string) bool {
	return strings.TrimFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) == ""
}

func (z *account) answerUser(w http.ResponseWriter, status int, u *user) {
	view := z.viewUser(u)
	w.Header().Set("Location", view["url"].(string))
	write(w, status, map[string]any{"user": view})
}

// createUser is POST /api/v2/users. An address or external id that a user has is
// refused.
//
// See https://developer.zendesk.com/api-reference/ticketing/users/users/#create-user.
func (z *account) createUser(w http.ResponseWriter, r *http.Request, c caller) {
	in, invalid, ok := z.readUser(w, r, c)
	if !ok {
		return
	}
	if z.userByEmail(in.Email) != nil {
		invalid.add("email", "DuplicateValue", "Email: "+in.Email+" is already being used by another user")
	}
	if z.userByExternalID(in.ExternalID) != nil {
		invalid.add("external_id", "DuplicateValue", "External: has already been taken")
	}
	if blank(in.Name) {
		invalid.blankName()
	}
	if len(invalid) > 0 {
		invalid.write(w)
		return
	}
	z.answerUser(w, http.StatusCreated, z.addUser(in.Name, in.Email, in.ExternalID, cmp.Or(in.Role, "end-user")))
}

// createOrUpdateUser is POST /api/v2/users/create_or_update: 201 for a new
// user, 200 for one matched by e-mail or external id.
//
// See https://developer.zendesk.com/api-reference/ticketing/users/users/#create-or-update-user.
func (z *account) createOrUpdateUser(w http.ResponseWriter, r *http.Request, c caller) {
	in, invalid, ok := z.readUser(w, r, c)
	if !ok {
		return
	}
	who := "write:" + strings.ToLower(in.Email) + ":" + strings.ToLower(in.ExternalID)
	if !z.admit(w, "user writes", z.limits.UserWrites, time.Second) || !z.admit(w, who, z.limits.UserWrite, time.Minute) {
		return
	}
	byEmail, byExternal := z.userByEmail(in.Email), z.userByExternalID(in.ExternalID)
	if byEmail != nil && byExternal != nil && byEmail != byExternal {
		invalid.add("email", "DuplicateValue", "Email: "+in.Email+" is already being used by another user")
	}
	u := byEmail
	if u == nil {
		u = byExternal
	}
	if u == nil && blank(in.Name) {
		invalid.blankName()
	}
	if len(invalid) > 0 {
		invalid.write(w)
		return
	}
	if u == nil {
		z.answerUser(w, http.StatusCreated, z.addUser(in.Name, in.Email, in.ExternalID, cmp.Or(in.Role, "end-user")))
		return
	}
	if !blank(in.Name) {
		u.Name = in.Name
	}
	z.setKeys(u, in.Email, in.ExternalID)
	if in.Role != "" {
		u.Role = in.Role
	}
	u.UpdatedAt = z.Now()
	z.answerUser(w, http.StatusOK, u)
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

// listUsers is GET /api/v2/users: all of them, on one page, by role or external
// id if asked.
//
// See https://developer.zendesk.com/api-reference/ticketing/users/users/#list-users.
func (z *account) listUsers(w http.ResponseWriter, r *http.Request, _ caller) {
	q := r.URL.Query()
	roles := q["role[]"]
	if role := q.Get("role"); role != "" {
		roles = append(roles, role)
	}
	list := []any{}
	external := q.Get("external_id")
	for _, u := range sorted(z.users) {
		if (len(roles) == 0 || slices.Contains(roles, u.Role)) && (external == "" || strings.EqualFold(external, u.ExternalID)) {
			list = append(list, z.viewUser(u))
		}
	}
	write(w, http.StatusOK, map[string]any{"users": list, "count": len(list), "next_page": nil, "previous_page": nil})
}
