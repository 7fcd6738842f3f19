package config_test

import (
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caseroom/caseroom/shared/config"
)

// all embeds every group, as a main embeds some.
type all struct {
	config.Desks
	config.Zendesk
	config.ZendeskAdmin
	config.ZendeskApp
	config.ZendeskEvents
	config.ChatWebhook
	config.ZendeskChat
	config.Zopim
	config.Rooms
	config.NewCases
	config.Hosts
	config.Salesforce
	config.Tencent
	config.Identities
	config.Login
	config.Guests
	config.GuestRequests
	config.Requests
	config.DeskKeys
	config.Queue
	config.BulkQueue
	config.FileQueue
	config.Filing
	config.Lifecycle
	config.Runtime
}

// contract is every variable that operators and tests rely on, with its default.
var contract = map[string]string{
	"TENCENT_SECRET":        "caseroom/tencent",
	"ZENDESK_SECRET":        "caseroom/zendesk",
	"ZENDESK_ADMIN_SECRET":  "caseroom/zendesk",
	"ZENDESK_APP_SECRET":    "caseroom/zendesk-app",
	"ZENDESK_EVENTS_SECRET": "caseroom/zendesk-events",
	"ZENDESK_CHAT_SECRET":   "caseroom/zendesk-chat",
	"ZOPIM_SECRET":          "caseroom/zopim",
	"SALESFORCE_SECRET":     "caseroom/salesforce",
	"LOGIN_SECRET":          "caseroom/login",
	"GUEST_SECRET":          "caseroom/guest",
	"DESK_KEYS_SECRET":      "caseroom/desk-keys",
	"CHAT_WEBHOOK_SECRET":   "caseroom/chat-webhook",
	"CHAT_WEBHOOK":          "off",

	"ZENDESK_BASE_URL":          "",
	"SALESFORCE_BASE_URL":       "",
	"DEFAULT_DESK":              "",
	"TENCENT_REGION":            "sg",
	"TENCENT_BASE_URL":          "",
	"PANEL_URL":                 "",
	"ZOPIM_BASE_URL":            "",
	"ROOM_NAMES":                "neutral",
	"FORMER_HOSTS":              "",
	"LOGIN_ISSUER":              "",
	"LOGIN_AUDIENCE":            "",
	"LOGIN_JWKS_URL":            "",
	"LOGIN_COOKIE":              "token",
	"LOGIN_EMAIL_TRUSTED":       "on",
	"GUESTS":                    "off",
	"GUEST_EMAIL":               "stated",
	"GUEST_RATE":                "0",
	"GUEST_RATE_PER_ADDRESS":    "0",
	"GUEST_CHALLENGE_URL":       "",
	"TICKET_RATE_PER_PERSON":    "0",
	"CLIENT_ADDRESS_HEADER":     "",
	"AGENT_IDS":                 "prefixed",
	"MEMBERSHIP":                "desk",
	"SOLVED":                    "lock",
	"STACK_NAME":                "",
	"OMNI":                      "off",
	"ALLOWED_ORIGINS":           "",
	"RESERVED_USER_IDS":         "",
	"SALESFORCE_API_VERSION":    "68.0",
	"SALESFORCE_KEY_FIELD":      "Caseroom_Key__c",
	"SALESFORCE_USER_FIELD":     "Caseroom_User__c",
	"SALESFORCE_AUTO_ASSIGN":    "true",
	"SALESFORCE_FALLBACK_EMAIL": "",
	"SYNC_QUEUE_URL":            "",
	"BULK_QUEUE_URL":            "",
	"FILE_QUEUE_URL":            "",
	"FILE_DEAD_LETTER_URL":      "",
	"DESK_WRITES_PER_MINUTE":    "50",
	"TRANSCRIPT_BUCKET":         "",
	"DISSOLVE_AFTER":            "168h0m0s",
	"HISTORY_DAYS":              "7",
	"AWS_SAM_LOCAL":             "off",
}

// setenv makes set the only variables of the contract that are set, until t ends.
func setenv(t *testing.T, set map[string]string) {
	t.Helper()
	for name := range contract {
		t.Setenv(name, "") // registers the restoring
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range set {
		t.Setenv(name, value)
	}
}

// values returns what each variable came to, in the words of the environment.
func values(t *testing.T, group any) map[string]string {
	t.Helper()
	got := make(map[string]string)
	v := reflect.ValueOf(group).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Type.Kind() == reflect.Struct {
			for name, value := range values(t, v.Field(i).Addr().Interface()) {
				if old, ok := got[name]; ok && old != value {
					t.Errorf("%s is %q in one group and %q in another", name, old, value)
				}
				got[name] = value
			}
			continue
		}
		switch x := v.Field(i).Interface().(type) {
		case string:
			got[f.Tag.Get("env")] = x
		case bool:
			got[f.Tag.Get("env")] = map[bool]string{true: "on", false: "off"}[x]
		case []string:
			got[f.Tag.Get("env")] = strings.Join(x, ",")
		case time.Duration:
			got[f.Tag.Get("env")] = x.String()
		case int:
			got[f.Tag.Get("env")] = strconv.Itoa(x)
		default:
			t.Fatalf("field %s has an unexpected type %T", f.Name, x)
		}
	}
	return got
}

func TestNamesAndDefaultsAreTheContract(t *testing.T) {
	setenv(t, nil)
	var env all
	if err := config.Load(&env); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(contract, values(t, &env)); diff != "" {
		t.Errorf("variables (-contract +groups):\n%s", diff)
	}
}

func TestSetButEmptyIsUnset(t *testing.T) {
	set := make(map[string]string)
	for name := range contract {
		set[name] = ""
	}
	setenv(t, set)
	want := make(map[string]string)
	for name, value := range contract {
		want[name] = value
	}
	// The two whose empty value says that the org lacks the package.
	want["SALESFORCE_KEY_FIELD"], want["SALESFORCE_USER_FIELD"] = "", ""
	var env all
	if err := config.Load(&env); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, values(t, &env)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEveryVariableIsRead(t *testing.T) {
	set := map[string]string{
		"TENCENT_SECRET":        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:chat-AbCdEf",
		"ZENDESK_SECRET":        "z",
		"ZENDESK_ADMIN_SECRET":  "za",
		"ZENDESK_APP_SECRET":    "zapp",
		"ZENDESK_EVENTS_SECRET": "ze",
		"ZENDESK_CHAT_SECRET":   "zc",
		"ZOPIM_SECRET":          "zp",
		"SALESFORCE_SECRET":     "s",
		"LOGIN_SECRET":          "l",
		"GUEST_SECRET":          "g",
		"DESK_KEYS_SECRET":      "d", "CHAT_WEBHOOK": "on", "CHAT_WEBHOOK_SECRET": "w",

		"ZENDESK_BASE_URL":          "https://acme.zendesk.com",
		"SALESFORCE_BASE_URL":       "https://acme.my.salesforce.com/prefix",
		"DEFAULT_DESK":              "salesforce",
		"TENCENT_REGION":            "de",
		"TENCENT_BASE_URL":          "http://127.0.0.1:3100/tencent",
		"PANEL_URL":                 "https://chat.example.com",
		"ZOPIM_BASE_URL":            "http://localhost:3100/chat",
		"ROOM_NAMES":                "subject",
		"FORMER_HOSTS":              "acme.zendesk.com,127.0.0.1:3100",
		"LOGIN_ISSUER":              "https://login.example.com",
		"LOGIN_AUDIENCE":            "shop",
		"LOGIN_JWKS_URL":            "https://login.example.com/.well-known/jwks.json",
		"LOGIN_COOKIE":              "__Host-session",
		"LOGIN_EMAIL_TRUSTED":       "off",
		"GUESTS":                    "on",
		"GUEST_EMAIL":               "requester",
		"GUEST_RATE":                "300",
		"GUEST_RATE_PER_ADDRESS":    "20",
		"GUEST_CHALLENGE_URL":       "https://challenges.example.com/v0/siteverify",
		"TICKET_RATE_PER_PERSON":    "10",
		"CLIENT_ADDRESS_HEADER":     "CloudFront-Viewer-Address",
		"AGENT_IDS":                 "raw",
		"MEMBERSHIP":                "calls",
		"SOLVED":                    "open",
		"STACK_NAME":                "caseroom-eu",
		"OMNI":                      "on",
		"ALLOWED_ORIGINS":           "https://a.example,http://localhost:5173",
		"RESERVED_USER_IDS":         "boss,ops",
		"SALESFORCE_API_VERSION":    "64.0",
		"SALESFORCE_KEY_FIELD":      "ns__Key__c",
		"SALESFORCE_USER_FIELD":     "ns__User__c",
		"SALESFORCE_AUTO_ASSIGN":    "01QD0000000AbCd",
		"SALESFORCE_FALLBACK_EMAIL": "no-reply@acme.example",
		"SYNC_QUEUE_URL":            "https://sqs.eu-central-1.amazonaws.com/123456789012/sync.fifo",
		"BULK_QUEUE_URL":            "https://sqs.eu-central-1.amazonaws.com/123456789012/bulk.fifo",
		"FILE_QUEUE_URL":            "https://sqs.eu-central-1.amazonaws.com/123456789012/file.fifo",
		"FILE_DEAD_LETTER_URL":      "https://sqs.eu-central-1.amazonaws.com/123456789012/file-dead.fifo",
		"DESK_WRITES_PER_MINUTE":    "150",
		"TRANSCRIPT_BUCKET":         "acme-transcripts",
		"DISSOLVE_AFTER":            "24h0m0s",
		"HISTORY_DAYS":              "30",
		"AWS_SAM_LOCAL":             "true",
	}
	setenv(t, set)
	var env all
	if err := config.Load(&env); err != nil {
		t.Fatal(err)
	}
	set["AWS_SAM_LOCAL"] = "on"
	if diff := cmp.Diff(set, values(t, &env)); diff != "" {
		t.Errorf("(-set +got):\n%s", diff)
	}
	for name := range contract {
		if set[name] == "" {
			t.Errorf("%s is not exercised", name)
		}
	}
}

func TestAdminSecretFollowsTheOther(t *testing.T) {
	setenv(t, map[string]string{"ZENDESK_SECRET": "mine"})
	var admin config.ZendeskAdmin
	if err := config.Load(&admin); err != nil || admin.Secret != "mine" {
		t.Errorf("admin secret is %q (%v), want ZENDESK_SECRET's", admin.Secret, err)
	}
}

// Other applications' tokens verify with the same published keys.
func TestKeySetNeedsIssuerAndAudience(t *testing.T) {
	const keys = "https://login.example.com/keys"
	for _, tt := range []struct {
		variables map[string]string
		says      string // "" if accepted
		want      config.Login
	}{
		{map[string]string{}, "", config.Login{EmailTrusted: true}},
		{map[string]string{"LOGIN_ISSUER": "any", "LOGIN_AUDIENCE": "any"}, "", config.Login{EmailTrusted: true}},
		{map[string]string{"LOGIN_JWKS_URL": keys}, "LOGIN_AUDIENCE must be set", config.Login{}},
		{map[string]string{"LOGIN_JWKS_URL": keys, "LOGIN_AUDIENCE": "shop"}, "LOGIN_ISSUER must be set", config.Login{}},
		{map[string]string{"LOGIN_JWKS_URL": keys, "LOGIN_ISSUER": "https://login.example.com"}, "LOGIN_AUDIENCE must be set", config.Login{}},
		{map[string]string{"LOGIN_JWKS_URL": keys, "LOGIN_ISSUER": "any", "LOGIN_AUDIENCE": "shop"}, "", config.Login{Audience: "shop"}},
		{map[string]string{"LOGIN_JWKS_URL": keys, "LOGIN_ISSUER": "i", "LOGIN_AUDIENCE": "any"}, "", config.Login{Issuer: "i"}},
		{map[string]string{"LOGIN_JWKS_URL": keys, "LOGIN_ISSUER": "i", "LOGIN_AUDIENCE": "a", "LOGIN_EMAIL_TRUSTED": "on"}, "", config.Login{Issuer: "i", Audience: "a", EmailTrusted: true}},
	} {
		var env struct{ config.Login }
		err := config.LoadFrom(tt.variables, &env)
		if tt.says != "" {
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v: %v, want %q", tt.variables, err, tt.says)
			}
			continue
		}
		if err != nil || env.Issuer != tt.want.Issuer || env.Audience != tt.want.Audience || env.EmailTrusted != tt.want.EmailTrusted {
			t.Errorf("%v: %+v (%v), want %+v", tt.variables, env, err, tt.want)
		}
	}
}

func TestListsAreTrimmed(t *testing.T) {
	setenv(t, map[string]string{"RESERVED_USER_IDS": " boss , ,ops,", "ALLOWED_ORIGINS": "https://a.example, https://b.example"})
	var env struct {
		config.Identities
		config.Login
	}
	if err := config.Load(&env); err != nil {
		t.Fatal(err)
	}
	if want := []string{"boss", "ops"}; !slices.Equal(env.ReservedUserIDs, want) {
		t.Errorf("reserved ids are %q, want %q", env.ReservedUserIDs, want)
	}
	if want := []string{"https://a.example", "https://b.example"}; !slices.Equal(env.AllowedOrigins, want) {
		t.Errorf("origins are %q, want %q", env.AllowedOrigins, want)
	}
}

func TestRefusals(t *testing.T) {
	tests := []struct{ name, value, says string }{
		{"GUESTS", "true", "on or off"},
		{"GUESTS", "ON", "on or off"},
		{"GUEST_EMAIL", "on", "stated or requester"},
		{"GUEST_RATE", "-1", "0 for no limit"},
		{"GUEST_RATE_PER_ADDRESS", "5/s", "0 for no limit"},
		{"GUEST_CHALLENGE_URL", "http://challenge.example.com/siteverify", "https URL"},
		{"TICKET_RATE_PER_PERSON", "1e9", "0 for no limit"},
		{"CLIENT_ADDRESS_HEADER", "X-Forwarded-For: ", "the name of a header"},
		{"LOGIN_EMAIL_TRUSTED", "1", "on or off"},
		{"OMNI", "yes", "on or off"},
		{"ROOM_NAMES", "ticket", "neutral or subject"},
		{"TENCENT_REGION", "eu", "cn, sg, kr, jp, de, us or id"},
		{"TENCENT_REGION", "SG", "cn, sg, kr, jp, de, us or id"},
		{"AGENT_IDS", "bare", "prefixed or raw"},
		{"MEMBERSHIP", "both", "desk or calls"},
		{"SOLVED", "closed", "lock or open"},
		{"DEFAULT_DESK", "hubspot", "zendesk or salesforce"},
		{"DEFAULT_DESK", "salesforce", "a desk whose base URL is set"},
		{"ZENDESK_BASE_URL", "http://acme.zendesk.com", "https URL"},
		{"ZENDESK_BASE_URL", "acme.zendesk.com", "https URL"},
		{"ZENDESK_BASE_URL", "https://canary-value:x@acme.zendesk.com", "https URL"},
		{"SALESFORCE_BASE_URL", "https://acme.my.salesforce.com?x=1", "https URL"},
		{"TENCENT_BASE_URL", "http://host.docker.internal:3100", "https URL"},
		{"ZOPIM_BASE_URL", "ftp://example.zendesk.com", "https URL"},
		{"LOGIN_JWKS_URL", "http://login.example.com/jwks", "https URL"},
		{"LOGIN_COOKIE", "to ken", "a cookie's name"},
		{"LOGIN_COOKIE", "a;b", "a cookie's name"},
		{"ALLOWED_ORIGINS", "*", "origins as browsers send them"},
		{"ALLOWED_ORIGINS", "https://a.example,https://b.example/", "origins as browsers send them"},
		{"ALLOWED_ORIGINS", "https://A.example", "origins as browsers send them"},
		{"ALLOWED_ORIGINS", "a.example", "origins as browsers send them"},
		{"SALESFORCE_API_VERSION", "v68.0", "such as 68.0"},
		{"SALESFORCE_API_VERSION", "68", "such as 68.0"},
		{"SALESFORCE_API_VERSION", "68.0/../x", "such as 68.0"},
		{"SALESFORCE_API_VERSION", "06.0", "such as 68.0"},
		{"SALESFORCE_API_VERSION", "6٨.0", "such as 68.0"},
		{"SALESFORCE_USER_FIELD", "_User__c", "a Salesforce field name"},
		{"SALESFORCE_KEY_FIELD", "Key__c/x", "a Salesforce field name"},
		{"SALESFORCE_USER_FIELD", "1User", "a Salesforce field name"},
		{"SALESFORCE_AUTO_ASSIGN", "maybe", "true, false or the id"},
		{"SALESFORCE_FALLBACK_EMAIL", "no-reply", "an e-mail address"},
		{"SALESFORCE_FALLBACK_EMAIL", "Us <no-reply@example.com>", "an e-mail address"},
		{"SALESFORCE_AUTO_ASSIGN", "500D0000000AbCd", "true, false or the id"},
		{"DESK_WRITES_PER_MINUTE", "0", "a whole number of writes a minute from 10 to 10000"},
		{"DESK_WRITES_PER_MINUTE", "10001", "from 10 to 10000"},
		{"DESK_WRITES_PER_MINUTE", "fifty", "from 10 to 10000"},
		{"FILE_QUEUE_URL", "file.fifo", "the URL of an SQS queue"},
		{"SYNC_QUEUE_URL", "sync.fifo", "the URL of an SQS queue"},
		{"SYNC_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/", "the URL of an SQS queue"},
		{"TRANSCRIPT_BUCKET", "s3://bucket", "the name of an S3 bucket"},
		{"TRANSCRIPT_BUCKET", "Bucket", "the name of an S3 bucket"},
		{"TRANSCRIPT_BUCKET", "bucket-", "the name of an S3 bucket"},
		{"FORMER_HOSTS", "https://acme.zendesk.com", "hosts such as acme.zendesk.com"},
		{"FORMER_HOSTS", "acme.zendesk.com/x", "hosts such as acme.zendesk.com"},
		{"DISSOLVE_AFTER", "7d", "a duration above zero"},
		{"DISSOLVE_AFTER", "-1h", "a duration above zero"},
		{"DISSOLVE_AFTER", "0s", "a duration above zero"},
		{"HISTORY_DAYS", "0", "from 1 to 3650"},
		{"HISTORY_DAYS", "99999", "from 1 to 3650"},
		{"HISTORY_DAYS", "7.5", "from 1 to 3650"},
		{"TENCENT_SECRET", `{"secretKey":"canary-value"}`, "the name or ARN of a secret"},
		{"ZENDESK_ADMIN_SECRET", "a b", "the name or ARN of a secret"},
	}
	for _, tt := range tests {
		t.Run(tt.name+"="+tt.value, func(t *testing.T) {
			setenv(t, map[string]string{tt.name: tt.value})
			var env all
			err := config.Load(&env)
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), tt.name+" must be ") || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error does not name the variable and what it may be: %v", err)
			}
			// Shorter ones are parts of ordinary words.
			if (len(tt.value) > 3 && strings.Contains(err.Error(), tt.value)) || strings.Contains(err.Error(), "canary-value") {
				t.Errorf("error tells the value: %v", err)
			}
		})
	}
}

func TestAllRefusalsAreTold(t *testing.T) {
	setenv(t, map[string]string{"TENCENT_REGION": "mars-canary", "GUESTS": "canary", "HISTORY_DAYS": "canary"})
	var tencent config.Tencent
	var guests config.Guests
	var life config.Lifecycle
	err := config.Load(&tencent, &guests, &life)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, name := range []string{"TENCENT_REGION", "GUESTS", "HISTORY_DAYS"} {
		if strings.Count(err.Error(), name) != 1 {
			t.Errorf("want %s once in: %v", name, err)
		}
	}
	if strings.Contains(err.Error(), "canary") {
		t.Errorf("error tells a value: %v", err)
	}
}

func TestRawAgents(t *testing.T) {
	for value, want := range map[string]bool{"": false, "prefixed": false, "raw": true} {
		setenv(t, map[string]string{"AGENT_IDS": value})
		var ids config.Identities
		if err := config.Load(&ids); err != nil || ids.RawAgents() != want {
			t.Errorf("AGENT_IDS=%q: raw is %t, %v", value, ids.RawAgents(), err)
		}
	}
}

func TestDockerHostOnlyUnderSAM(t *testing.T) {
	for _, tt := range []struct {
		sam string
		ok  bool
	}{{"true", true}, {"", false}, {"false", false}, {"on", false}} {
		setenv(t, map[string]string{"AWS_SAM_LOCAL": tt.sam, "ZENDESK_BASE_URL": "http://host.docker.internal:3100/zendesk"})
		var env struct {
			config.Zendesk
			config.Runtime
		}
		if err := config.Load(&env); (err == nil) != tt.ok {
			t.Errorf("AWS_SAM_LOCAL=%q: %v", tt.sam, err)
		}
		if env.SAMLocal != tt.ok {
			t.Errorf("AWS_SAM_LOCAL=%q: SAMLocal is %t", tt.sam, env.SAMLocal)
		}
	}
}

func TestDefaultDesk(t *testing.T) {
	const z, s = "https://acme.zendesk.com", "https://acme.my.salesforce.com"
	tests := []struct{ zendesk, salesforce, choice, want string }{
		{"", "", "", ""},
		{z, "", "", "zendesk"},
		{"", s, "", "salesforce"},
		{z, s, "", "zendesk"},
		{z, s, "salesforce", "salesforce"},
		{z, s, "zendesk", "zendesk"},
	}
	for _, tt := range tests {
		setenv(t, map[string]string{"ZENDESK_BASE_URL": tt.zendesk, "SALESFORCE_BASE_URL": tt.salesforce, "DEFAULT_DESK": tt.choice})
		var desks config.Desks
		if err := config.Load(&desks); err != nil {
			t.Errorf("%+v: %v", tt, err)
		}
		if got := desks.Default(); got != tt.want {
			t.Errorf("%+v: default is %q", tt, got)
		}
	}
}

func TestLoadRefusesWhatItCannotFill(t *testing.T) {
	setenv(t, nil)
	for _, g := range []any{config.Desks{}, nil, (*config.Desks)(nil), new(string), &struct {
		C chan int `env:"GUESTS" envDefault:"x"`
	}{}} {
		if err := config.Load(g); err == nil {
			t.Errorf("%T was accepted", g)
		}
	}
}
