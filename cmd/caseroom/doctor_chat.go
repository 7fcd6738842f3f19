package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/caseroom/caseroom/shared/chatwebhook"
	"github.com/caseroom/caseroom/shared/secrets"
	"github.com/caseroom/caseroom/shared/tencentim"
)

// lookChatWebhook sends the stack what the chat's console would, signed by each live
// token. Whether the chat itself sends anything, only its console knows.
func (d *doctor) lookChatWebhook(ctx context.Context) {
	const id = "chat.webhook"
	m := d.more()
	switch {
	case !m.ChatWebhook.On:
		d.skip(id, "off: docs/chat-webhook.md says what it brings")
		return
	case d.unread(id, "tencent", "chat-webhook"):
		return
	case d.broken["api"] || d.broken["clock"] || d.broken["credentials.tencent"]:
		d.skip(id, "another finding comes first")
		return
	}
	app, err := secrets.For[tencentim.Credentials](d.parts.secrets, d.Tencent.Secret).Load(ctx)
	if err != nil {
		d.skip(id, "its secret cannot be read")
		return
	}
	hook, err := secrets.For[chatwebhook.Secret](d.parts.secrets, m.ChatWebhook.Secret).Load(ctx)
	switch {
	case err != nil:
		d.skip(id, "its secret cannot be read")
		return
	case hook.SDKAppID != app.SDKAppID || hook.AdminUserID != app.AdminUserID:
		d.bad(id, "write the same sdkAppId and adminUserId into "+m.ChatWebhook.Secret, "%s names app %d and admin %s, %s app %d and admin %s: events are refused, or taken for others' doing",
			m.ChatWebhook.Secret, hook.SDKAppID, hook.AdminUserID, d.Tencent.Secret, app.SDKAppID, app.AdminUserID)
		return
	case d.doctorOptions.api == "":
		d.skip(id, "the API's address is not known: say --api-url")
		return
	}
	address := strings.TrimSuffix(d.doctorOptions.api, "/") + "/chat/events"
	for i, token := range hook.Tokens {
		status, took := d.callback(ctx, address, app.SDKAppID, token)
		if !took {
			d.bad(id, "look at the log of the function chatevent", "POST /chat/events, signed by token %d of %d: status %d", i+1, len(hook.Tokens), status)
			return
		}
	}
	d.ok(id, "%s takes what %d live tokens sign; that the chat sends something, its console's monitoring page and the metric ChatEvent show", address, len(hook.Tokens))
}

// callback posts a signed callback that means nothing, and reports whether it was
// answered as the chat wants it.
func (d *doctor) callback(ctx context.Context, address string, app int, token string) (status int, took bool) {
	at := strconv.FormatInt(d.now().Unix(), 10)
	query := url.Values{
		"SdkAppid": {strconv.Itoa(app)}, "CallbackCommand": {"Caseroom.Doctor"}, "contenttype": {"json"},
		"Sign": {chatwebhook.Sign(token, at)}, "RequestTime": {at},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address+"?"+query.Encode(), strings.NewReader(`{"CallbackCommand":"Caseroom.Doctor"}`))
	if err != nil {
		return 0, false
	}
	res, err := d.http.Do(req)
	if err != nil {
		return 0, false
	}
	defer func() { _ = res.Body.Close() }()
	var answer struct{ ActionStatus string }
	err = json.NewDecoder(res.Body).Decode(&answer)
	return res.StatusCode, err == nil && res.StatusCode == http.StatusOK && answer.ActionStatus == "OK"
}
