package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/tencentyun/tls-sig-api-v2-golang/tencentyun"

	"github.com/caseroom/caseroom/local/logintest"
	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/relay"
)

// vendors are the desks, the chat and the gateway as their users call them.
type vendors struct {
	Options
	client *http.Client

	mu      sync.Mutex
	session string // Salesforce's
}

func newVendors(o Options) *vendors {
	return &vendors{Options: o, client: &http.Client{Timeout: 35 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
}

// call makes a request and decodes its answer, which it returns whole too.
func (v *vendors) call(ctx context.Context, method, target string, header map[string]string, body, into any) (status int, text []byte, err error) {
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, target, in)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	for k, val := range header {
		req.Header.Set(k, val)
	}
	res, err := v.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if text, err = io.ReadAll(res.Body); err != nil {
		return 0, nil, err
	}
	if into != nil && res.StatusCode < 300 && len(text) > 0 {
		err = json.Unmarshal(text, into)
	}
	return res.StatusCode, text, err
}

// open opens a ticket as an app does: with one key, again and again until the
// answer is final. It returns how often it had to ask again.
func (v *vendors) open(ctx context.Context, t *ticket, r *mathrand.Rand) (again int, err error) {
	now := time.Now()
	token, err := logintest.HS(v.Fixtures.LoginHS256).Sign(map[string]any{
		"iss": v.Issuer, "aud": v.Audience, "sub": t.customer, "name": "Customer " + t.customer,
		"email": t.customer + "@customer.example", "email_verified": true, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	})
	if err != nil {
		return 0, err
	}
	key, err := uuid.NewV7()
	if err != nil {
		return 0, err
	}
	header := map[string]string{"Authorization": "Bearer " + token, "Idempotency-Key": key.String()}
	body := map[string]any{"caseInfo": map[string]string{"subject": t.subject, "desc": "The lamp is dark."}}
	for ; ; again++ {
		var answer struct {
			TicketID string `json:"ticketId"`
		}
		status, text, err := v.call(ctx, http.MethodPost, v.Gateway+"/"+string(t.desk)+"/createticket", header, body, &answer)
		switch {
		case ctx.Err() != nil:
			return again, ctx.Err()
		case err == nil && status == http.StatusOK && answer.TicketID != "":
			t.id = answer.TicketID
			return again, nil
		case err == nil && status < 500 && status != http.StatusTooManyRequests:
			return again, fmt.Errorf("createticket: %d %.200s", status, text)
		case again > 60:
			return again, fmt.Errorf("createticket fails for ever: %d %.200s %w", status, text, err)
		}
		if !pause(ctx, time.Duration(300+r.IntN(700))*time.Millisecond) {
			return again, ctx.Err()
		}
	}
}

func (v *vendors) zendesk(ctx context.Context, t *ticket, change map[string]any) error {
	req := map[string]string{"Authorization": basic(v.Fixtures.Zendesk.Email+"/token", v.Fixtures.Zendesk.APIToken)}
	status, text, err := v.call(ctx, http.MethodPut, v.Sandbox+"/zendesk/api/v2/tickets/"+t.id, req, map[string]any{"ticket": change}, nil)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("zendesk: %d %.200s", status, text)
	}
	return err
}

func basic(user, password string) string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return r.Header.Get("Authorization")
}

func (v *vendors) salesforce(ctx context.Context, t *ticket, change map[string]any) error {
	for range 2 {
		session, err := v.login(ctx)
		if err != nil {
			return err
		}
		status, text, err := v.call(ctx, http.MethodPatch, v.Sandbox+"/salesforce/services/data/v68.0/sobjects/Case/"+t.id,
			// Or the org's rule would give the case back to its queue.
			map[string]string{"Authorization": "Bearer " + session, "Sforce-Auto-Assign": "false"}, change, nil)
		if err == nil && status == http.StatusUnauthorized {
			v.logout(session)
			continue
		}
		if err == nil && status != http.StatusNoContent {
			err = fmt.Errorf("salesforce: %d %.200s", status, text)
		}
		return err
	}
	return errors.New("salesforce: no session")
}

func (v *vendors) logout(session string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.session == session {
		v.session = ""
	}
}

func (v *vendors) login(ctx context.Context) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.session != "" {
		return v.session, nil
	}
	f := v.Fixtures.Salesforce
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {f.ClientID}, "client_secret": {f.ClientSecret}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, v.Sandbox+"/salesforce/services/oauth2/token", bytes.NewReader([]byte(form.Encode())))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := v.client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || answer.AccessToken == "" {
		return "", fmt.Errorf("salesforce: no session: %d", res.StatusCode)
	}
	v.session = answer.AccessToken
	return v.session, nil
}

// assign gives a ticket to one of the desk's two agents, or to nobody.
func (v *vendors) assign(ctx context.Context, t *ticket, agent int) error {
	if t.desk == relay.Zendesk {
		if agent < 0 {
			return v.zendesk(ctx, t, map[string]any{"assignee_id": nil})
		}
		return v.zendesk(ctx, t, map[string]any{"assignee_id": v.Fixtures.Zendesk.AgentIDs[agent]})
	}
	owner := v.Fixtures.Salesforce.OwnUserID // who is no human
	if agent >= 0 {
		owner = v.Fixtures.Salesforce.AgentIDs[agent]
	}
	return v.salesforce(ctx, t, map[string]any{"OwnerId": owner})
}

func (v *vendors) status(ctx context.Context, t *ticket, over bool) error {
	switch {
	case t.desk == relay.Zendesk && over:
		return v.zendesk(ctx, t, map[string]any{"status": "solved"})
	case t.desk == relay.Zendesk:
		return v.zendesk(ctx, t, map[string]any{"status": "open"})
	case over:
		return v.salesforce(ctx, t, map[string]any{"Status": "Closed"})
	default:
		return v.salesforce(ctx, t, map[string]any{"Status": "Working"})
	}
}

// say sends a text in the customer's name and reports whether the chat took it.
func (v *vendors) say(ctx context.Context, t *ticket, text string) (bool, error) {
	f := v.Fixtures.Tencent
	sig, err := tencentyun.GenUserSig(f.SDKAppID, f.SecretKey, f.AdminUserID, 3600)
	if err != nil {
		return false, err
	}
	q := url.Values{
		"sdkappid": {strconv.Itoa(f.SDKAppID)}, "identifier": {f.AdminUserID}, "usersig": {sig},
		"random": {strconv.FormatUint(uint64(mathrand.Uint32()), 10)}, "contenttype": {"json"},
	}
	var answer struct {
		ErrorCode int
		MsgSeq    uint64
	}
	status, body, err := v.call(ctx, http.MethodPost, v.Sandbox+"/tencent/v4/group_open_http_svc/send_group_msg?"+q.Encode(), nil, map[string]any{
		"GroupId": relay.Ref{Desk: t.desk, Ticket: t.id}.GroupID(), "From_Account": t.customer, "Random": mathrand.Uint32(),
		"MsgBody": []any{map[string]any{"MsgType": "TIMTextElem", "MsgContent": map[string]string{"Text": text}}},
	}, &answer)
	switch {
	case err != nil:
		return false, errors.New("tencent: no answer") // the URL holds a UserSig
	case status != http.StatusOK:
		return false, fmt.Errorf("tencent: %d %.200s", status, body)
	case answer.ErrorCode == 0:
		return true, nil
	case answer.ErrorCode == 10017 || answer.ErrorCode == 10010 || answer.ErrorCode == 10007:
		return false, nil
	default:
		return false, fmt.Errorf("tencent: %d", answer.ErrorCode)
	}
}

// state reads what the stand-ins hold.
func (v *vendors) state(ctx context.Context) (st sandbox.State, err error) {
	status, _, err := v.call(ctx, http.MethodGet, v.Sandbox+"/state", nil, nil, &st)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("state: %d", status)
	}
	return st, err
}
