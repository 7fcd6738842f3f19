package tencentim_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/tencentim"
	"github.com/caseroom/caseroom/shared/upstream"
)

// newApp is the sandbox's app and a client of it.
func newApp(t *testing.T) (*sandbox.Sandbox, *tencentim.Client) {
	t.Helper()
	box := sandbox.New(sandbox.Options{})
	server := httptest.NewServer(box.Handler())
	t.Cleanup(func() { server.Close(); box.Close() })
	f := box.Fixtures().Tencent
	c, err := tencentim.New(tencentim.Options{
		BaseURL: server.URL + "/tencent",
		Credentials: func(context.Context) (tencentim.Credentials, error) {
			return tencentim.Credentials{SDKAppID: f.SDKAppID, SecretKey: f.SecretKey, AdminUserID: f.AdminUserID}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return box, c
}

func TestWhatAnAccountLeaves(t *testing.T) {
	t.Parallel()
	box, c := newApp(t)
	ctx := t.Context()
	if ids, err := c.GetJoinedGroups(ctx, "dana"); err != nil || len(ids) != 0 {
		t.Errorf("groups of nobody: %v, %v", ids, err)
	}
	if there, err := c.AccountExists(ctx, "dana"); err != nil || there {
		t.Errorf("before the import: %v, %v", there, err)
	}
	if err := c.ImportAccount(ctx, tencentim.Account{UserID: "dana", Nick: "Dana"}); err != nil {
		t.Fatal(err)
	}
	if there, err := c.AccountExists(ctx, "dana"); err != nil || !there {
		t.Errorf("after the import: %v, %v", there, err)
	}
	var want []string
	for i := range 3 {
		id := fmt.Sprint("ZENDESK#", i+1)
		want = append(want, id)
		err := c.CreateGroup(ctx, tencentim.NewGroup{GroupID: id, Type: "Public", Name: "n", MemberList: []tencentim.Member{{UserID: "dana"}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if ids, err := c.GetJoinedGroups(ctx, "dana"); err != nil || !slices.Equal(ids, want) {
		t.Errorf("groups %v, %v", ids, err)
	}
	account := func() (a sandbox.TencentAccount, there bool) {
		list := box.State().Tencent.Accounts
		i := slices.IndexFunc(list, func(a sandbox.TencentAccount) bool { return a.UserID == "dana" })
		if i < 0 {
			return a, false
		}
		return list[i], true
	}
	if there, err := c.ClearProfile(ctx, "dana"); err != nil || !there {
		t.Errorf("profile: %v, %v", there, err)
	}
	if err := c.Kick(ctx, "dana"); err != nil {
		t.Error(err)
	}
	if a, _ := account(); a.Nick != "" || a.Kicked.IsZero() {
		t.Errorf("left of the profile: %+v", a)
	}
	for range 2 { // an account that is gone is deleted
		if err := c.DeleteAccount(ctx, "dana"); err != nil {
			t.Error(err)
		}
	}
	if _, there := account(); there {
		t.Error("the account is there")
	}
	if there, err := c.ClearProfile(ctx, "dana"); err != nil || there {
		t.Errorf("profile of nobody: %v, %v", there, err)
	}
	if err := c.Kick(ctx, "dana"); err != nil {
		t.Errorf("kicking nobody: %v", err)
	}
	if err := c.ImportAccount(ctx, tencentim.Account{UserID: "dana"}); !upstream.HasCode(err, "70399") {
		t.Errorf("a deleted account came back: %v", err)
	}
	if err := c.DeleteAccount(ctx, box.Fixtures().Tencent.AdminUserID); err == nil {
		t.Error("the admin was deleted")
	}
}
