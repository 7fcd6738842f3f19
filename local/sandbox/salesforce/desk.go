package salesforce

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/caseroom/caseroom/local/sandbox/engine"

	"github.com/caseroom/caseroom/shared/identity"
)

// Fixture is the Salesforce org: its API credentials and the people
// its stand-in starts with. Ids have 18 characters.
type Fixture struct {
	ClientID, ClientSecret            string
	Username, Password, SecurityToken string
	Audience                          string // of the JWT bearer flow
	OrgID                             string
	OwnUserID                         string    // the API user
	AgentIDs                          [2]string // two active standard users
}

// State is what the Salesforce stand-in holds, for /state.
type State struct {
	Cases       []Case           `json:"cases"`
	Comments    []map[string]any `json:"comments"`
	Transcripts []map[string]any `json:"transcripts"`
	Users       []map[string]any `json:"users"`
	AgentWork   []map[string]any `json:"agentWork"`
}

// Case is a Case as the stand-in holds it.
type Case struct {
	ID             string    `json:"id"` // 18 characters
	CaseNumber     string    `json:"caseNumber"`
	Subject        string    `json:"subject"`
	Description    string    `json:"description,omitempty"`
	Status         string    `json:"status"`
	IsClosed       bool      `json:"isClosed"`
	IsDeleted      bool      `json:"isDeleted"`
	OwnerID        string    `json:"ownerId"`
	SuppliedName   string    `json:"suppliedName,omitempty"`
	SuppliedEmail  string    `json:"suppliedEmail,omitempty"`
	Key            string    `json:"key,omitempty"`  // Caseroom_Key__c
	User           string    `json:"user,omitempty"` // Caseroom_User__c
	MasterRecordID string    `json:"masterRecordId,omitempty"`
	SystemModstamp time.Time `json:"systemModstamp"`
}

func caseOf(row *record) Case {
	stamp, _ := row.values["SystemModstamp"].(time.Time)
	return Case{
		ID: row.id(), CaseNumber: row.text("CaseNumber"), Subject: row.text("Subject"), Description: row.text("Description"),
		Status: row.text("Status"), IsClosed: row.values["IsClosed"] == true, IsDeleted: row.deleted(), OwnerID: row.text("OwnerId"),
		SuppliedName: row.text("SuppliedName"), SuppliedEmail: row.text("SuppliedEmail"),
		Key: row.text("Caseroom_Key__c"), User: row.text("Caseroom_User__c"),
		MasterRecordID: row.text("MasterRecordId"), SystemModstamp: stamp,
	}
}

// State returns a copy of what the org holds; the engine is locked.
func (x Org) State() State {
	f := x.f
	st := State{Cases: []Case{}}
	for _, row := range f.list(f.objects["case"]) {
		st.Cases = append(st.Cases, caseOf(row))
	}
	rows := func(name string) []map[string]any {
		out := []map[string]any{}
		for _, row := range f.list(f.objects[name]) {
			out = append(out, f.export(row))
		}
		return out
	}
	st.Comments, st.Transcripts = rows("casecomment"), rows("caseroom_transcript__c")
	st.Users, st.AgentWork = rows("user"), rows("agentwork")
	return st
}

// seed puts the fixture's people and the default queue in place.
func (f *org) seed() {
	fix := f.fix
	user := func(id, name, username string) {
		f.add(f.objects["user"], map[string]any{
			"Id": id, "Name": name, "Username": username, "Email": username, "UserType": "Standard", "IsActive": true,
		})
	}
	user(fix.OwnUserID, "caseroom", fix.Username)
	user(fix.AgentIDs[0], "Alex Agent", "alex@caseroom.example")
	user(fix.AgentIDs[1], "Billie Agent", "billie@caseroom.example")
	f.queue = f.add(f.objects["group"], map[string]any{"Name": "Support", "Type": "Queue"}).id()
	f.apply(Setup{Package: true, Omni: true, Enabled: true, PermissionSets: []string{"Caseroom_Integration"}, ViewAllCases: true})
}

// Org is the org from the inside: what agents, admins and the system
// do. Every method that changes a record moves its SystemModstamp to the
// engine's clock. Ids may have 15 or 18 characters.
type Org struct{ f *org }

// with runs g under the engine's lock.
func (o Org) with(g func(f *org)) {
	o.f.Lock()
	defer o.f.Unlock()
	g(o.f)
}

// Cases returns all cases in the order of their making, deleted ones included.
func (o Org) Cases() (list []Case) {
	o.with(func(*org) { list = o.State().Cases })
	return list
}

// Case returns one case.
func (o Org) Case(id string) (c Case, err error) {
	err = o.onRow(id, "500", func(_ *org, row *record) error {
		c = caseOf(row)
		return nil
	})
	return c, err
}

func (o Org) onRow(id, prefix string, g func(*org, *record) error) (err error) {
	o.with(func(f *org) {
		full, bad := identity.SalesforceID(id, prefix)
		row := f.rows[full]
		if bad != nil || row == nil {
			err = fmt.Errorf("%q: %w", id, engine.ErrNoRecord)
			return
		}
		err = g(f, row)
	})
	return err
}

// Queue returns the id of the default case owner, a queue.
func (o Org) Queue() (id string) {
	o.with(func(f *org) { id = f.queue })
	return id
}

// OnChange calls g for every change, in order. g runs under the engine's
// lock: it must hand the event on and return.
func (o Org) OnChange(g func(Event)) {
	o.with(func(f *org) { f.onChange = g })
}

// ExpireSessions ends every session.
func (o Org) ExpireSessions() {
	o.with(func(f *org) { clear(f.sessions) })
}

// SetDailyLimit sets and enforces the org's API requests per 24 hours; a limit
// below what is used already refuses every call.
func (o Org) SetDailyLimit(n int) {
	o.with(func(f *org) { f.dailyLimit, f.enforceLimit = n, true })
}

// SetPageSize sets how many records one page of a query has: 2,000 by default.
func (o Org) SetPageSize(n int) {
	o.with(func(f *org) { f.pageSize = max(1, n) })
}

// SetPackage installs caseroom's package, as from the start, or removes it:
// its fields and objects are then unknown.
func (o Org) SetPackage(installed bool) {
	o.with(func(f *org) { f.noPackage, f.setup.Package = !installed, installed })
}

// SetClientCredentials switches the app's client credentials flow.
func (o Org) SetClientCredentials(on bool) {
	o.with(func(f *org) { f.clientCredentials = on })
}

// SetPasswordExpired makes SOAP login() answer 200 with a session that is good
// for nothing.
func (o Org) SetPasswordExpired(expired bool) {
	o.with(func(f *org) { f.passwordExpired = expired })
}

// AddUser adds a user of the given UserType, such as "Standard".
func (o Org) AddUser(name, userType string, active bool) (id string) {
	o.with(func(f *org) {
		id = f.add(f.objects["user"], map[string]any{"Name": name, "UserType": userType, "IsActive": active}).id()
	})
	return id
}

// SetActive activates or deactivates a user.
func (o Org) SetActive(user string, active bool) error {
	return o.onRow(user, "005", func(f *org, row *record) error {
		f.change(row, map[string]any{"IsActive": active})
		return nil
	})
}

// CreateCase makes a case as an agent would, without caseroom's fields.
func (o Org) CreateCase(subject, owner string) (id string, err error) {
	o.with(func(f *org) {
		values := map[string]any{"Subject": subject, "OwnerId": f.queue}
		if owner != "" {
			if values["OwnerId"], err = f.ownerID(owner); err != nil {
				return
			}
		}
		id = f.add(f.objects["case"], values).id()
	})
	return id, err
}

func (f *org) ownerID(id string) (string, error) {
	full, err := identity.SalesforceID(id, "")
	row := f.rows[full]
	if err != nil || row == nil || (row.object.name != "User" && row.object.name != "Group") {
		return "", fmt.Errorf("owner %q: %w", id, engine.ErrNoRecord)
	}
	return full, nil
}

func (o Org) liveCase(id string, g func(*org, *record) error) error {
	return o.onRow(id, "500", func(f *org, row *record) error {
		if row.deleted() {
			return fmt.Errorf("%q is deleted: %w", id, engine.ErrNoRecord)
		}
		return g(f, row)
	})
}

// SetOwner gives the case to a user or a queue.
func (o Org) SetOwner(caseID, owner string) error {
	return o.liveCase(caseID, func(f *org, row *record) error {
		id, err := f.ownerID(owner)
		if err == nil {
			f.change(row, map[string]any{"OwnerId": id})
		}
		return err
	})
}

// SetStatus sets the case's status; "Closed" is the one that closes it.
func (o Org) SetStatus(caseID, status string) error {
	return o.liveCase(caseID, func(f *org, row *record) error {
		f.change(row, map[string]any{"Status": status})
		return nil
	})
}

// Close closes the case.
func (o Org) Close(caseID string) error { return o.SetStatus(caseID, "Closed") }

// Reopen opens the case again.
func (o Org) Reopen(caseID string) error { return o.SetStatus(caseID, "Working") }

// Delete moves the case into the recycle bin.
func (o Org) Delete(caseID string) error {
	return o.liveCase(caseID, func(f *org, row *record) error {
		f.bin(row, true)
		return nil
	})
}

// Undelete takes the case out of the recycle bin.
func (o Org) Undelete(caseID string) error {
	return o.onRow(caseID, "500", func(f *org, row *record) error {
		if !row.deleted() {
			return fmt.Errorf("%q is not deleted: %w", caseID, engine.ErrNoRecord)
		}
		delete(row.values, "MasterRecordId")
		f.bin(row, false)
		return nil
	})
}

// Hide takes the case out of what caseroom's own user may see, as sharing does, or
// puts it back. Agents see it all the while, and its triggers fire.
func (o Org) Hide(caseID string, hidden bool) error {
	return o.liveCase(caseID, func(_ *org, row *record) error {
		row.hidden = hidden
		return nil
	})
}

// Merge deletes the loser, whose MasterRecordId then names the winner, and
// updates the winner.
func (o Org) Merge(winner, loser string) error {
	return o.liveCase(winner, func(f *org, win *record) error {
		id, err := identity.SalesforceID(loser, "500")
		row := f.rows[id]
		if err != nil || row == nil || row.deleted() || row == win {
			return fmt.Errorf("%q: %w", loser, engine.ErrNoRecord)
		}
		row.values["MasterRecordId"] = win.id()
		for _, r := range f.order { // children follow without an event of their own
			if r.object.name == "CaseComment" && r.text("ParentId") == id {
				r.values["ParentId"] = win.id()
			}
		}
		f.bin(row, true)
		f.change(win, nil)
		return nil
	})
}

// AddAgentWork routes a case to a user in Omni-Channel, with status "Assigned",
// as all work begins. It takes Omni-Channel, and a user who is active.
//
// See https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_agentwork.htm.
func (o Org) AddAgentWork(caseID, user string) (id string, err error) {
	err = o.liveCase(caseID, func(f *org, row *record) error {
		if !f.setup.Omni {
			return errors.New("the org has no Omni-Channel")
		}
		who, err := identity.SalesforceID(user, "005")
		if err != nil || f.rows[who] == nil {
			return fmt.Errorf("user %q: %w", user, engine.ErrNoRecord)
		}
		if f.rows[who].values["IsActive"] != true {
			return fmt.Errorf("user %q is not active and gets no work", user)
		}
		id = f.add(f.objects["agentwork"], map[string]any{"WorkItemId": row.id(), "UserId": who, "OwnerId": f.queue}).id()
		return nil
	})
	return id, err
}

// workSteps are the statuses that work may get, by the one it has: what was
// offered is accepted or not, and what was accepted ends. The others are ends.
var workSteps = map[string][]string{
	"Assigned": {"Opened", "Declined", "DeclinedOnPushTimeout", "Unavailable", "Canceled", "Transferred"},
	"Opened":   {"Closed", "Unavailable", "Canceled", "Transferred"},
}

// SetAgentWork sets the status of an AgentWork; accepting it ("Opened") also
// makes its user the owner of the case. No other status touches the case: even
// "Closed" may only mean that a tab of the console was closed.
func (o Org) SetAgentWork(id, status string) error {
	return o.onRow(id, "0Bz", func(f *org, row *record) error {
		if now := row.text("Status"); !slices.Contains(workSteps[now], status) {
			return fmt.Errorf("work that is %s does not become %q", now, status)
		}
		f.change(row, map[string]any{"Status": status})
		if item := f.rows[row.text("WorkItemId")]; status == "Opened" && item != nil && !item.deleted() {
			f.change(item, map[string]any{"OwnerId": row.text("UserId")})
		}
		return nil
	})
}
