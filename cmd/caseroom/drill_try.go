package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/google/uuid"

	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/secrets"
	"github.com/caseroom/caseroom/shared/session"
	"github.com/caseroom/caseroom/shared/tencentim"
	"github.com/caseroom/caseroom/shared/upstream"
	"github.com/caseroom/caseroom/shared/zendesk"
)

// What no documentation settles is tried here, each line of docs/unproved.md by
// a check of its own.

// tryStamp looks how fine updated_stamp is: two updates rest on one read. If the
// second passes, the stamp is of whole seconds, for which Sync waits.
func (r *drill) tryStamp(ctx context.Context) (string, error) {
	row, err := r.parts.zendesk.ShowTicket(ctx, r.number())
	if err != nil {
		return "", err
	}
	if _, err := r.parts.zendesk.UpdateTicket(ctx, r.number(), zendesk.TicketUpdate{Note: "caseroom doctor: one", Stamp: row.UpdatedAt}); err != nil {
		return "", fmt.Errorf("an update that rests on the newest read: %w", err)
	}
	_, err = r.parts.zendesk.UpdateTicket(ctx, r.number(), zendesk.TicketUpdate{Note: "caseroom doctor: two", Stamp: row.UpdatedAt})
	var up *upstream.Error
	switch {
	case err == nil:
		return "two updates in one second pass: the stamp is of whole seconds, as believed", nil
	case errors.As(err, &up) && up.Status == http.StatusConflict:
		return "the second of two updates is refused", nil
	}
	return "", err
}

// delete deletes the ticket and looks what the desk then says of it.
func (r *drill) delete(ctx context.Context) (string, error) {
	var before time.Time
	if r.desk == relay.Salesforce {
		var err error
		if before, _, err = r.parts.salesforce.CaseStamp(ctx, r.ref.Ticket); err != nil {
			return "", err
		}
		// Stamps are whole seconds: two changes within one have the same.
		if err := upstream.Sleep(ctx, time.Second); err != nil {
			return "", err
		}
	}
	if err := r.deleteTicket(ctx, r.ref.Ticket); err != nil {
		return "", err
	}
	gone, err := r.desks[r.desk].Gone(ctx, r.ref.Ticket)
	if err != nil {
		return "", err
	}
	if !gone {
		return "", errors.New("a deleted ticket, read alone, looks as if it were there")
	}
	if r.desk == relay.Zendesk {
		return "a deleted ticket, read alone, is gone", nil
	}
	after, deleted, err := r.parts.salesforce.CaseStamp(ctx, r.ref.Ticket)
	switch {
	case err != nil:
		return "", err
	case !deleted:
		return "", errors.New("a deleted case is not in the recycle bin: reconcile does not see deletions")
	case !after.After(before):
		return "", errors.New("SystemModstamp did not move with the deletion: reconcile does not see deletions")
	}
	return "SystemModstamp moves with a deletion", nil
}

// tryChat tries a group of its own, which goes at the end.
func (d *doctor) tryChat(ctx context.Context, tell func(string, ...any)) {
	group := "caseroom-doctor-" + uuid.NewString()[:8]
	made := tencentim.NewGroup{
		GroupID: group, Type: tencentim.TypePublic, Name: "caseroom doctor",
		Introduction:    relay.Mark{Desk: relay.DeskHash("doctor.caseroom.invalid")}.String(),
		ApplyJoinOption: tencentim.DisableApply, InviteJoinOption: tencentim.DisableInvite,
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
		defer cancel()
		d.step(ctx, tell, "deep.chat.clean up", "destroy the group by hand: "+group, func(ctx context.Context) (string, error) {
			return "the group is gone", d.rooms.Destroy(ctx, group)
		})
	}()
	try := func(name string, f func(context.Context) (string, error)) bool {
		return d.step(ctx, tell, "deep.chat."+name, doUnsure, f)
	}
	if !try("ownerless", func(ctx context.Context) (string, error) {
		if err := d.chat.CreateGroup(ctx, made); err != nil {
			return "", err
		}
		groups, err := d.chat.GetGroups(ctx, group)
		switch g := groups[group]; {
		case err != nil:
			return "", err
		case g.Err != nil:
			return "", g.Err
		case g.Owner != "":
			return "", fmt.Errorf("the group has the owner %s", g.Owner)
		case g.Introduction.Text != made.Introduction:
			return "", errors.New("the mark in the introduction came back otherwise")
		}
		return "a group made over REST has no owner, and its mark is as it was written", nil
	}) {
		return
	}
	try("exists", func(ctx context.Context) (string, error) {
		err := d.chat.CreateGroup(ctx, made)
		var up *upstream.Error
		if errors.As(err, &up) && (up.Code == "10021" || up.Code == "10025") {
			return "a second one is refused with " + up.Code, nil
		}
		return "", fmt.Errorf("a second one was not refused with 10021 or 10025: %w", err)
	})
	try("mark", func(ctx context.Context) (string, error) {
		mark, _ := relay.ParseMark(made.Introduction)
		const times = 10
		for n := range times {
			mark.Announced = n + 1
			if err := d.rooms.Change(ctx, group, relay.RoomChange{Mark: mark}); err != nil {
				return "", fmt.Errorf("write %d of %d in a row: %w", n+1, times, err)
			}
		}
		groups, err := d.chat.GetGroups(ctx, group)
		if err == nil && groups[group].Introduction.Text != mark.String() {
			err = errors.New("the last mark was not kept")
		}
		return fmt.Sprintf("%d writes in a row pass", times), err
	})
	try("mute", func(ctx context.Context) (string, error) {
		mark, _ := relay.ParseMark(made.Introduction)
		on := true
		if err := d.rooms.Change(ctx, group, relay.RoomChange{Mark: mark, Mute: &on}); err != nil {
			return "", err
		}
		seq, err := d.chat.SendText(ctx, tencentim.Text{GroupID: group, Text: "caseroom doctor", Random: 1})
		if err != nil {
			return "", fmt.Errorf("the admin cannot write to a locked room: %w", err)
		}
		page, err := d.chat.GetMessages(ctx, group, 0)
		if err == nil && !slices.ContainsFunc(page, func(m tencentim.GroupMessage) bool { return m.Seq == seq }) {
			err = errors.New("what the admin wrote to a locked room is not in its history")
		}
		return "the admin can write to a locked room without members", err
	})
}

// tryAppURL looks at the token by which Zendesk opens the panel.
func (d *doctor) tryAppURL(ctx context.Context) {
	const id = "deep.zendesk.app-url"
	if d.parts.zendesk == nil {
		return
	}
	if d.appToken == "" {
		d.skip(id, "open the panel on a ticket, copy the form field token of the browser's POST to /zendesk/app, and give it with --app-token within its life")
		return
	}
	app, err := secrets.For[session.AppSecret](d.parts.secrets, d.more().ZendeskApp.Secret).Load(ctx)
	if err != nil {
		d.skip(id, "its secret cannot be read")
		return
	}
	key, err := zendesk.ParseAppKey(app.AppPublicKey)
	if err != nil {
		d.bad(id, "put the app's public key into "+d.more().ZendeskApp.Secret+" as appPublicKey", "%v", err)
		return
	}
	user, err := zendesk.VerifyAppURL(d.appToken, key, d.parts.zendesk.Host(), d.now())
	if err != nil {
		d.bad(id, doUnsure, "%v", err)
		return
	}
	n, err := strconv.ParseInt(user, 10, 64)
	if err != nil {
		d.bad(id, doUnsure, "the sub ends in no number")
		return
	}
	people, err := d.parts.zendesk.ShowUsers(ctx, []int64{n})
	switch p, ok := people[n]; {
	case err != nil:
		d.refusal(id, "Zendesk", d.Zendesk.Secret, err)
	case !ok || (p.Role != "agent" && p.Role != "admin"):
		d.bad(id, doUnsure, "the sub ends in %d, which is no agent", n)
	default:
		d.ok(id, "the sub ends in the agent's user id")
	}
}

// tryIAM calls an IAM route with the operator's own signature.
func (d *doctor) tryIAM(ctx context.Context) {
	const id = "deep.salesforce.iam"
	if d.parts.salesforce == nil {
		return
	}
	// A user who cannot be: caseroom's own 4xx proves that the gateway let us in.
	body, err := json.Marshal(map[string]string{"userId": "x"})
	if err != nil {
		return
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(d.doctorOptions.api, "/")+"/iam/salesforce/usersig", strings.NewReader(string(body)))
	if err != nil {
		return
	}
	req.Header.Set("Content-Type", "application/json")
	if d.stack.Sandbox != "" {
		// The local gateway takes a principal's name for a signature.
		req.Header.Set("X-Caseroom-Iam-Arn", "arn:aws:iam::000000000000:user/doctor")
	} else {
		creds, err := d.stack.AWS.Credentials.Retrieve(ctx)
		if err != nil {
			d.skip(id, "there are no AWS credentials to sign with")
			return
		}
		sum := sha256.Sum256(body)
		if err := v4.NewSigner().SignHTTP(ctx, creds, req, hex.EncodeToString(sum[:]), "execute-api", d.stack.AWS.Region, d.now()); err != nil {
			d.bad(id, "check your AWS credentials", "the request cannot be signed")
			return
		}
	}
	res, err := d.http.Do(req)
	if err != nil {
		d.bad(id, "check the API's address", "no answer")
		return
	}
	defer func() { _ = res.Body.Close() }()
	var problem struct{ Code, Message string }
	_ = json.NewDecoder(res.Body).Decode(&problem)
	switch {
	case problem.Code != "":
		d.ok(id, "a SigV4 signature is let in")
	case res.StatusCode == http.StatusForbidden:
		d.bad(id, "attach the policy of the output SalesforceCallerPolicyArn to yourself, try again, and detach it; if it stays, docs/unproved.md", "the gateway refuses the signature, or your principal")
	default:
		d.bad(id, doUnsure, "status %d", res.StatusCode)
	}
}
