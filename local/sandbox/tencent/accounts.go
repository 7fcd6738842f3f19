package tencent

import (
	"net/http"
	"time"

	"github.com/caseroom/caseroom/local/sandbox/engine"
)

// reimportAfter is how long a deleted account's id stays taken on paid plans.
const reimportAfter = 90 * 24 * time.Hour

// importOne makes or renames an account.
func (t *app) importOne(id, nick, faceURL string) *refusal {
	if !userIDPattern.MatchString(id) {
		return refuse(70402, "UserID must have 1 to 32 letters, digits, _ or -")
	}
	if len(nick) > 500 || len(faceURL) > 500 {
		return refuse(70402, "Nick or FaceUrl is too long")
	}
	if at, ok := t.deleted[id]; ok {
		if t.Now().Sub(at) < reimportAfter {
			return refuse(70399, "the account was deleted and cannot be imported for three months")
		}
		delete(t.deleted, id)
	}
	a := t.accounts[id]
	if a == nil {
		if t.plan.MaxAccounts > 0 && len(t.accounts) >= t.plan.MaxAccounts {
			return refuse(70398, "the plan's accounts are used up")
		}
		a = &account{id: id}
		t.accounts[id] = a
	}
	if nick != "" {
		a.nick = nick
	}
	if faceURL != "" {
		a.faceURL = faceURL
	}
	return nil
}

// userID reads the account an account command is about, under its present or
// its older name.
func (a *args) userID() string {
	if a.has("UserID") {
		return a.text("UserID")
	}
	return a.text("Identifier")
}

// accountImport follows https://trtc.io/document/34953.
func (t *app) accountImport(r *http.Request, a *args) (reply, *refusal) {
	id, nick, face := a.userID(), a.text("Nick"), a.text("FaceUrl")
	if e := a.bad(); e != nil {
		return nil, e
	}
	engine.Note(r, "user", id)
	return nil, t.importOne(id, nick, face)
}

// multiaccountImport follows https://trtc.io/document/34954.
func (t *app) multiaccountImport(_ *http.Request, a *args) (reply, *refusal) {
	type account struct{ id, nick, face string }
	var list []account
	if a.has("AccountList") {
		for _, x := range a.objects("AccountList") {
			list = append(list, account{x.userID(), x.text("Nick"), x.text("FaceUrl")})
		}
	} else {
		for _, id := range a.texts("Accounts") {
			list = append(list, account{id: id})
		}
	}
	if e := a.bad(); e != nil {
		return nil, e
	}
	if len(list) == 0 || len(list) > 100 {
		return nil, refuse(70402, "AccountList must hold 1 to 100 accounts")
	}
	failed := []string{}
	for _, x := range list {
		if t.importOne(x.id, x.nick, x.face) != nil {
			failed = append(failed, x.id)
		}
	}
	return reply{"FailAccounts": failed}, nil
}

// accountIDs reads a list of {UserID} objects, at most 100.
func accountIDs(a *args, key string) ([]string, *refusal) {
	var ids []string
	for _, x := range a.objects(key) {
		ids = append(ids, x.userID())
	}
	if e := a.bad(); e != nil {
		return nil, e
	}
	if len(ids) == 0 || len(ids) > 100 {
		return nil, refuse(70402, "%s must hold 1 to 100 accounts", key)
	}
	return ids, nil
}

// accountCheck follows https://trtc.io/document/34956.
func (t *app) accountCheck(_ *http.Request, a *args) (reply, *refusal) {
	ids, e := accountIDs(a, "CheckItem")
	if e != nil {
		return nil, e
	}
	items := []reply{}
	for _, id := range ids {
		status := "NotImported"
		if t.accounts[id] != nil {
			status = "Imported"
		}
		items = append(items, reply{"UserID": id, "ResultCode": 0, "ResultInfo": "", "AccountStatus": status})
	}
	return reply{"ResultItem": items}, nil
}

// accountDelete follows https://trtc.io/document/34955.
func (t *app) accountDelete(_ *http.Request, a *args) (reply, *refusal) {
	ids, e := accountIDs(a, "DeleteItem")
	if e != nil {
		return nil, e
	}
	items := []reply{}
	for _, id := range ids {
		item := reply{"UserID": id, "ResultCode": 0, "ResultInfo": ""}
		switch acc := t.accounts[id]; {
		case acc == nil:
			item["ResultCode"], item["ResultInfo"] = 70107, "the account does not exist"
		case acc.admin:
			item["ResultCode"], item["ResultInfo"] = 70402, "an admin cannot be deleted"
		default:
			for _, g := range t.oldestFirst() {
				if g.owner == id {
					g.owner = ""
				}
				t.part(g, id, false)
			}
			t.chat.end(id, event{Type: "kicked", Reason: "accountDeleted"})
			delete(t.accounts, id)
			t.deleted[id] = t.Now()
		}
		items = append(items, item)
	}
	return reply{"ResultItem": items}, nil
}

// kick invalidates an account's logins; see https://trtc.io/document/34957.
func (t *app) kick(r *http.Request, a *args) (reply, *refusal) {
	id := a.userID()
	if e := a.bad(); e != nil {
		return nil, e
	}
	engine.Note(r, "user", id)
	acc := t.accounts[id]
	if acc == nil {
		return nil, refuse(70107, "the account does not exist")
	}
	acc.kicked = t.Now().UTC()
	t.chat.end(id, event{Type: "kicked", Reason: "restApi"})
	return nil, nil
}

// setProfile follows https://trtc.io/document/34916.
func (t *app) setProfile(r *http.Request, a *args) (reply, *refusal) {
	id := a.text("From_Account")
	type item struct{ tag, value string }
	var items []item
	for _, x := range a.objects("ProfileItem") {
		items = append(items, item{x.text("Tag"), x.text("Value")})
	}
	if e := a.bad(); e != nil || len(items) == 0 {
		return nil, refuse(40001, "Err_Profile_Comm_Decode_Fail")
	}
	engine.Note(r, "user", id)
	acc := t.accounts[id]
	if acc == nil {
		return nil, refuse(40003, "the account does not exist")
	}
	for _, x := range items {
		switch x.tag {
		case "Tag_Profile_IM_Nick":
			if len(x.value) > 500 {
				return nil, refuse(40001, "the nickname is too long")
			}
			acc.nick = x.value
		case "Tag_Profile_IM_Image":
			acc.faceURL = x.value
		case "Tag_Profile_IM_SelfSignature":
		default:
			return nil, refuse(40001, "there is no such profile field")
		}
	}
	return nil, nil
}
