package webhook_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/caseroom/caseroom/shared/webhook"
)

const secret = "whsec-0123456789abcdef"

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// vectors were made by Node's crypto, which shares no code with ours:
//
//	createHmac("sha256", secret).update(timestamp).update(body).digest("base64")
var vectors = []struct{ secret, body, signature string }{
	{secret, `{"type":"zen:event-type:ticket.status_changed","subject":"zen:ticket:42","detail":{"description":"für \u00e4"}}` + "\n", "rx6S8t4Du1aYarKgUQb5H4h8v71xRzJakKQXwhMI7xo="},
	{secret, "", "UT9uHpXJmpOvxdVmdZXlR5VGj8WQQKGUy8rjkl80DVM="},
	{webhook.TestSecret, "\xff\x00\n", "i34G4N6X6w0uYKqgq3K77fF9XK68B0xvuFLTLCyfIe8="},
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		signed := webhook.GenerateTestSigned(v.secret, []byte(v.body), now)
		if signed.Signature != v.signature || signed.Timestamp != "2026-11-20T12:00:00Z" {
			t.Errorf("%q is signed %+v, want %s", v.body, signed, v.signature)
		}
		err := webhook.Verifier{Tests: true}.Verify([]string{v.secret}, v.signature, "2026-11-20T12:00:00Z", []byte(v.body), now)
		if err != nil {
			t.Errorf("%q: %v", v.body, err)
		}
	}
}

func TestVerify(t *testing.T) {
	const body = `{"ticketId":"1"}`
	good := webhook.GenerateTestSigned(secret, []byte(body), now)
	raw, err := base64.StdEncoding.DecodeString(good.Signature)
	if err != nil {
		t.Fatal(err)
	}
	public := webhook.GenerateTestSigned(webhook.TestSecret, []byte(body), now)
	none := webhook.GenerateTestSigned("", []byte(body), now)
	tests := []struct {
		name                 string
		tests                bool
		secrets              []string
		signature, timestamp string
		body                 string
		at                   time.Time
		want                 error
	}{
		{"good", false, []string{secret}, good.Signature, good.Timestamp, body, now, nil},
		{"the older of two", false, []string{"another-0123456789", secret}, good.Signature, good.Timestamp, body, now, nil},
		{"the newer of two", false, []string{secret, "another-0123456789"}, good.Signature, good.Timestamp, body, now, nil},
		{"as old as may be", false, []string{secret}, good.Signature, good.Timestamp, body, now.Add(5 * time.Minute), nil},
		{"as early as may be", false, []string{secret}, good.Signature, good.Timestamp, body, now.Add(-5 * time.Minute), nil},
		{"too old", false, []string{secret}, good.Signature, good.Timestamp, body, now.Add(5*time.Minute + 1), webhook.ErrExpired},
		{"too early", false, []string{secret}, good.Signature, good.Timestamp, body, now.Add(-5*time.Minute - 1), webhook.ErrExpired},
		{"the clock's other end", false, []string{secret}, good.Signature, "0001-01-01T00:00:00Z", body, now, webhook.ErrExpired},
		{"another secret", false, []string{"another-0123456789"}, good.Signature, good.Timestamp, body, now, webhook.ErrSignature},
		{"no secrets", false, nil, good.Signature, good.Timestamp, body, now, webhook.ErrSignature},
		{"an empty secret", false, []string{""}, none.Signature, none.Timestamp, body, now, webhook.ErrSignature},
		{"no signature", false, []string{secret}, "", good.Timestamp, body, now, webhook.ErrSignature},
		{"no signature, no secrets", false, nil, "", good.Timestamp, body, now, webhook.ErrSignature},
		{"no timestamp", false, []string{secret}, good.Signature, "", body, now, webhook.ErrTimestamp},
		{"Unix seconds", false, []string{secret}, good.Signature, "1795176000", body, now, webhook.ErrTimestamp},
		{"the same moment written otherwise", false, []string{secret}, good.Signature, "2026-11-20T13:00:00+01:00", body, now, webhook.ErrSignature},
		{"another body", false, []string{secret}, good.Signature, good.Timestamp, `{"ticketId":"2"}`, now, webhook.ErrSignature},
		{"the body written otherwise", false, []string{secret}, good.Signature, good.Timestamp, `{ "ticketId":"1"}`, now, webhook.ErrSignature},
		{"hex", false, []string{secret}, hex.EncodeToString(raw), good.Timestamp, body, now, webhook.ErrSignature},
		{"base64url", false, []string{secret}, base64.RawURLEncoding.EncodeToString(raw), good.Timestamp, body, now, webhook.ErrSignature},
		{"line break", false, []string{secret}, good.Signature + "\n", good.Timestamp, body, now, webhook.ErrSignature},
		{"the public test secret", false, []string{secret}, public.Signature, public.Timestamp, body, now, webhook.ErrSignature},
		{"the public test secret as ours", false, []string{webhook.TestSecret}, public.Signature, public.Timestamp, body, now, webhook.ErrSignature},
		{"the public test secret, locally", true, []string{secret}, public.Signature, public.Timestamp, body, now, nil},
		{"good, locally", true, []string{secret}, good.Signature, good.Timestamp, body, now, nil},
		{"another secret, locally", true, nil, good.Signature, good.Timestamp, body, now, webhook.ErrSignature},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := webhook.Verifier{Tests: tt.tests}.Verify(tt.secrets, tt.signature, tt.timestamp, []byte(tt.body), tt.at)
			if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// FuzzVerify holds that nothing but the signer's own output is accepted.
func FuzzVerify(f *testing.F) {
	f.Add(secret, vectors[0].signature, "2026-11-20T12:00:00Z", []byte(vectors[0].body))
	f.Add("", "", "", []byte(nil))
	f.Add(webhook.TestSecret, vectors[2].signature, "2026-11-20T12:00:00Z", []byte(vectors[2].body))
	f.Add(secret, "rx6S8t4Du1aYarKgUQb5H4h8v71xRzJakKQXwhMI7xp=", "2026-11-20T12:00:00.5+00:00", []byte("{}"))
	f.Fuzz(func(t *testing.T, secret, signature, timestamp string, body []byte) {
		if err := (webhook.Verifier{}).Verify(nil, signature, timestamp, body, now); err == nil {
			t.Error("accepted without a secret")
		}
		err := webhook.Verifier{}.Verify([]string{secret}, signature, timestamp, body, now)
		at, parse := time.Parse(time.RFC3339, timestamp)
		if parse != nil {
			if !errors.Is(err, webhook.ErrTimestamp) {
				t.Errorf("timestamp %q: %v", timestamp, err)
			}
			return
		}
		signed := webhook.GenerateTestSigned(secret, body, at)
		usable := secret != "" && secret != webhook.TestSecret
		if err == nil && (!usable || (signed.Timestamp == timestamp && signed.Signature != signature)) {
			t.Errorf("%q accepted for %q", signature, secret)
		}
		again := webhook.Verifier{}.Verify([]string{secret}, signed.Signature, signed.Timestamp, body, at)
		if (again == nil) != usable && !errors.Is(again, webhook.ErrTimestamp) { // a year beyond 9999
			t.Errorf("its own signature: %v", again)
		}
	})
}

func TestSecret(t *testing.T) {
	for _, tt := range []struct {
		secret webhook.Secret
		want   string
	}{
		{webhook.Secret{}, "neither"},
		{webhook.Secret{WebhookSecrets: []string{secret, "canary"}}, "webhookSecrets: value 2 of 2"},
		{webhook.Secret{WebhookSecrets: []string{secret}, Bearers: []string{""}}, "bearers: value 1 of 1"},
		{webhook.Secret{WebhookSecrets: []string{secret}}, ""},
		{webhook.Secret{Bearers: []string{secret}}, ""},
	} {
		err := tt.secret.Validate()
		if (err == nil) != (tt.want == "") || (err != nil && (!strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "canary"))) {
			t.Errorf("got %v, want %q", err, tt.want)
		}
	}
	s := webhook.Secret{WebhookSecrets: []string{"canary-0123456789"}, Bearers: []string{"canary-0123456789"}}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s)
	for _, printed := range []string{log.String(), fmt.Sprintf("%v %+v %#v %s", s, s, s, s)} {
		if strings.Contains(printed, "canary") {
			t.Errorf("printed: %s", printed)
		}
	}
}
