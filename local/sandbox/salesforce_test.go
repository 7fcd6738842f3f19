package sandbox_test

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caseroom/caseroom/local/sandbox"
)

const sfAPI = "/salesforce/services/data/v68.0"

func (d *desk) salesforceToken() string {
	d.t.Helper()
	f := d.Fixtures().Salesforce
	a := d.want(d.form("/salesforce/services/oauth2/token", map[string]string{
		"grant_type": "client_credentials", "client_id": f.ClientID, "client_secret": f.ClientSecret,
	}), 200)
	return "Authorization: Bearer " + a.text("access_token")
}

func (d *desk) soql(auth, q string) deskAnswer {
	d.t.Helper()
	return d.send("GET", sfAPI+"/query?q="+url.QueryEscape(q), "", auth)
}

func (d *desk) newCase(auth, body string, headers ...string) string {
	d.t.Helper()
	a := d.want(d.send("POST", sfAPI+"/sobjects/Case", body, append(headers, auth)...), 201)
	if a.at("success") != true || len(a.text("id")) != 18 {
		d.t.Fatalf("create answered %s", a.raw)
	}
	return a.text("id")
}

func TestSalesforceClientCredentials(t *testing.T) {
	d := newDesk(t)
	f := d.Fixtures().Salesforce
	const path = "/salesforce/services/oauth2/token"
	good := map[string]string{"grant_type": "client_credentials", "client_id": f.ClientID, "client_secret": f.ClientSecret}
	a := d.want(d.form(path, good), 200)
	if a.at("expires_in") != nil || a.at("refresh_token") != nil || a.text("instance_url") != d.url+"/salesforce" ||
		a.text("id") != d.url+"/salesforce/id/"+f.OrgID+"/"+f.OwnUserID || a.text("issued_at") == "" {
		t.Errorf("token %s", a.raw)
	}
	id := strings.TrimPrefix(a.text("id"), d.url)
	if who := d.want(d.send("GET", id, "", "Authorization: Bearer "+a.text("access_token")), 200); who.text("user_type") != "STANDARD" {
		t.Errorf("identity %s", who.raw)
	}
	d.want(d.form(path, map[string]string{"grant_type": "client_credentials"}, basicAuth(f.ClientID, f.ClientSecret)), 200)
	for _, c := range []struct {
		name, code string
		change     map[string]string
	}{
		{"client", "invalid_client_id", map[string]string{"client_id": "x"}},
		{"secret", "invalid_client", map[string]string{"client_secret": "x"}},
		{"password grant", "invalid_grant", map[string]string{"grant_type": "password", "username": f.Username, "password": f.Password + f.SecurityToken}},
		{"unknown grant", "unsupported_grant_type", map[string]string{"grant_type": "magic"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			form := map[string]string{}
			for k, v := range good {
				form[k] = v
			}
			for k, v := range c.change {
				form[k] = v
			}
			if a := d.form(path, form); a.status != 400 || a.text("error") != c.code || a.text("error_description") == "" {
				t.Errorf("%d %s, want %s", a.status, a.raw, c.code)
			}
		})
	}
	if a := d.send("POST", path, mustJSON(t, good)); a.status != 400 {
		t.Errorf("JSON body: %d", a.status)
	}
	d.Salesforce().SetClientCredentials(false)
	if a := d.form(path, good); a.status != 400 || a.text("error") != "invalid_grant" {
		t.Errorf("flow off: %d %s", a.status, a.raw)
	}
}

func TestSalesforceJWTBearer(t *testing.T) {
	d := newDesk(t)
	f := d.Fixtures()
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	now := d.clock.Now()
	for _, c := range []struct {
		name   string
		change jwt.MapClaims
		key    *rsa.PrivateKey
		method jwt.SigningMethod
		status int
		text   string
	}{
		{"good", nil, nil, nil, 200, ""},
		{"five minutes", jwt.MapClaims{"exp": now.Unix() + 300}, nil, nil, 200, ""},
		{"too far", jwt.MapClaims{"exp": now.Unix() + 301}, nil, nil, 400, "invalid assertion"},
		{"past", jwt.MapClaims{"exp": now.Unix()}, nil, nil, 400, "expired authorization code"},
		{"milliseconds", jwt.MapClaims{"exp": now.UnixMilli()}, nil, nil, 400, "invalid assertion"},
		{"exp a string", jwt.MapClaims{"exp": fmt.Sprint(now.Unix() + 180)}, nil, nil, 400, "invalid assertion"},
		{"issuer", jwt.MapClaims{"iss": "x"}, nil, nil, 400, "client identifier invalid"},
		{"subject", jwt.MapClaims{"sub": "x@y.example"}, nil, nil, 400, "user hasn't approved this consumer"},
		{"audience", jwt.MapClaims{"aud": "https://x.example"}, nil, nil, 400, "audience is invalid"},
		{"other key", nil, other, nil, 400, "invalid assertion"},
		{"other algorithm", nil, nil, jwt.SigningMethodRS512, 400, "invalid assertion"},
	} {
		t.Run(c.name, func(t *testing.T) {
			claims := jwt.MapClaims{
				"iss": f.Salesforce.ClientID, "sub": f.Salesforce.Username, "aud": f.Salesforce.Audience, "exp": now.Unix() + 180,
			}
			for k, v := range c.change {
				claims[k] = v
			}
			if c.key == nil {
				c.key = f.SalesforceKey()
			}
			if c.method == nil {
				c.method = jwt.SigningMethodRS256
			}
			assertion, err := jwt.NewWithClaims(c.method, claims).SignedString(c.key)
			if err != nil {
				t.Fatal(err)
			}
			a := d.form("/salesforce/services/oauth2/token", map[string]string{
				"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion,
			})
			if a.status != c.status || a.text("error_description") != c.text {
				t.Errorf("%d %s, want %d %q", a.status, a.raw, c.status, c.text)
			}
		})
	}
}

func TestSalesforceSOAPLogin(t *testing.T) {
	d := newDesk(t)
	f := d.Fixtures().Salesforce
	envelope := func(user, pass string) string {
		return `<?xml version="1.0"?><e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>` +
			`<n:login xmlns:n="urn:partner.soap.sforce.com"><n:username>` + user + `</n:username><n:password>` + pass +
			`</n:password></n:login></e:Body></e:Envelope>`
	}
	good := envelope(f.Username, f.Password+f.SecurityToken)
	for _, c := range []struct {
		name, version, body, contentType, action string
		status                                   int
		text                                     string
	}{
		{"good", "64.0", good, "text/xml", `SOAPAction: ""`, 200, "<sessionId>"},
		{"version without login", "65.0", good, "text/xml", "SOAPAction: login", 500, "not supported in this API version"},
		{"retired version", "30.0", good, "text/xml", "SOAPAction: login", 500, "UNSUPPORTED_API_VERSION"},
		{"no token", "64.0", envelope(f.Username, f.Password), "text/xml", "SOAPAction: login", 500, "INVALID_LOGIN"},
		{"wrong user", "64.0", envelope("x", f.Password+f.SecurityToken), "text/xml", "SOAPAction: login", 500, "INVALID_LOGIN"},
		{"not XML", "64.0", "{}", "text/xml", "SOAPAction: login", 500, "soapenv:Client"},
		{"other operation", "64.0", strings.ReplaceAll(good, "n:login", "n:logout"), "text/xml", "SOAPAction: login", 500, "No operation"},
		{"content type", "64.0", good, "application/json", "SOAPAction: login", 500, "text/xml"},
		{"no SOAPAction", "64.0", good, "text/xml", "", 500, "SOAPAction"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := d.send("POST", "/salesforce/services/Soap/u/"+c.version, c.body, "Content-Type: "+c.contentType, c.action)
			if a.status != c.status || !strings.Contains(string(a.raw), c.text) {
				t.Errorf("%d %s, want %d %s", a.status, a.raw, c.status, c.text)
			}
		})
	}
	session := func() string {
		a := d.want(d.send("POST", "/salesforce/services/Soap/u/64.0", good, "Content-Type: text/xml", "SOAPAction: login"), 200)
		_, rest, _ := strings.Cut(string(a.raw), "<sessionId>")
		id, _, _ := strings.Cut(rest, "<")
		return "Authorization: Bearer " + id
	}
	d.want(d.send("GET", sfAPI+"/limits", "", session()), 200)
	d.Salesforce().SetPasswordExpired(true)
	d.want(d.send("GET", sfAPI+"/limits", "", session()), 401)
}

func TestSalesforceSessions(t *testing.T) {
	d := newDesk(t)
	auth := d.salesforceToken()
	for range 3 { // use keeps a session alive
		d.clock.Advance(2*time.Hour - time.Second)
		d.want(d.send("GET", sfAPI+"/limits", "", auth), 200)
	}
	d.clock.Advance(2 * time.Hour)
	a := d.want(d.send("GET", sfAPI+"/limits", "", auth), 401)
	if a.text("0.errorCode") != "INVALID_SESSION_ID" || a.text("0.message") != "Session expired or invalid" {
		t.Errorf("%s", a.raw)
	}
	d.want(d.send("GET", sfAPI+"/limits", ""), 401)
	auth = d.salesforceToken()
	for path, status := range map[string]int{
		"v30.0": 410, "v31.0": 200, "v68.0": 200, "v69.0": 404, "v68": 404, "68.0": 404,
	} {
		if a := d.send("GET", "/salesforce/services/data/"+path+"/limits", "", auth); a.status != status {
			t.Errorf("%s: %d, want %d", path, a.status, status)
		}
	}
	d.Salesforce().ExpireSessions()
	d.want(d.send("GET", sfAPI+"/limits", "", auth), 401)
}

func TestSalesforceDailyLimit(t *testing.T) {
	d := newDesk(t)
	auth := d.salesforceToken()
	a := d.want(d.send("GET", sfAPI+"/limits", "", auth), 200)
	if a.header.Get("Sforce-Limit-Info") != "api-usage=1/15000" || a.text("DailyApiRequests.Remaining") != "14999" {
		t.Errorf("%q %s", a.header.Get("Sforce-Limit-Info"), a.raw)
	}
	d.Salesforce().SetDailyLimit(2)
	d.newCase(auth, `{"Subject":"x"}`)
	over := d.want(d.send("POST", sfAPI+"/sobjects/Case", `{"Subject":"x"}`, auth), 403)
	if over.text("0.errorCode") != "REQUEST_LIMIT_EXCEEDED" {
		t.Errorf("%s", over.raw)
	}
	d.clock.Advance(24 * time.Hour)
	d.newCase(d.salesforceToken(), `{"Subject":"x"}`)
}

func TestSalesforceCreateCase(t *testing.T) {
	d := newDesk(t)
	auth := d.salesforceToken()
	body := `{"Subject":"Help","Description":"It broke","Origin":"Web","SuppliedName":"Dana","SuppliedEmail":"dana@customer.example","Caseroom_Key__c":"abcdef","Caseroom_User__c":"dana"}`
	id := d.newCase(auth, body)
	org := d.Salesforce()
	c, err := org.Case(id[:15])
	if err != nil || c.OwnerID != org.Queue() || c.Status != "New" || c.Key != "abcdef" {
		t.Errorf("case %+v %v", c, err)
	}
	dup := d.want(d.send("POST", sfAPI+"/sobjects/Case", body, auth), 400)
	if dup.text("0.errorCode") != "DUPLICATE_VALUE" || !strings.Contains(dup.text("0.message"), id[:15]) {
		t.Errorf("duplicate %s", dup.raw)
	}
	d.newCase(auth, `{"Caseroom_Key__c":"ABCDEF"}`) // the field is case-sensitive

	own := d.Fixtures().Salesforce.OwnUserID
	agent := d.Fixtures().Salesforce.AgentIDs[0]
	for header, want := range map[string]string{
		"": org.Queue(), "Sforce-Auto-Assign: TRUE": org.Queue(), "Sforce-Auto-Assign: false": own,
		"Sforce-Auto-Assign: 01QHs0000000001": org.Queue(),
	} {
		if c, _ := org.Case(d.newCase(auth, `{"Subject":"x"}`, header)); c.OwnerID != want {
			t.Errorf("%q: owner %s, want %s", header, c.OwnerID, want)
		}
	}
	if c, _ := org.Case(d.newCase(auth, `{"OwnerId":"`+agent+`"}`, "Sforce-Auto-Assign: FALSE")); c.OwnerID != agent {
		t.Errorf("explicit owner %s", c.OwnerID)
	}
}

func TestSalesforceRefusals(t *testing.T) {
	d := newDesk(t)
	auth := d.salesforceToken()
	id := d.newCase(auth, `{"Subject":"x"}`)
	for _, c := range []struct {
		name, object, body string
		status             int
		code               string
	}{
		{"unknown field", "Case", `{"Nope__c":"x"}`, 400, "INVALID_FIELD"},
		{"read-only field", "Case", `{"CreatedDate":"2026-01-01T00:00:00Z"}`, 400, "INVALID_FIELD_FOR_INSERT_UPDATE"},
		{"long subject", "Case", `{"Subject":"` + strings.Repeat("x", 256) + `"}`, 400, "STRING_TOO_LONG"},
		{"bad e-mail", "Case", `{"SuppliedEmail":"nope"}`, 400, "INVALID_EMAIL_ADDRESS"},
		{"wrong type", "Case", `{"Subject":{}}`, 400, "JSON_PARSER_ERROR"},
		{"owner of wrong type", "Case", `{"OwnerId":"` + id + `"}`, 400, "MALFORMED_ID"},
		{"owner that is not there", "Case", `{"OwnerId":"005Hs0000000Zzz"}`, 400, "INVALID_CROSS_REFERENCE_KEY"},
		{"not JSON", "Case", `{`, 400, "JSON_PARSER_ERROR"},
		{"array", "Case", `[]`, 400, "JSON_PARSER_ERROR"},
		{"two values", "Case", `{} {}`, 400, "JSON_PARSER_ERROR"},
		{"unknown object", "Nope", `{}`, 404, "NOT_FOUND"},
		{"comment without case", "CaseComment", `{"CommentBody":"x"}`, 400, "REQUIRED_FIELD_MISSING"},
		{"comment over 4,000 bytes", "CaseComment", `{"ParentId":"` + id + `","CommentBody":"` + strings.Repeat("语", 1334) + `"}`, 400, "STRING_TOO_LONG"},
		{"users are not made here", "User", `{"Name":"x"}`, 400, "INSUFFICIENT_ACCESS_OR_READONLY"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := d.want(d.send("POST", sfAPI+"/sobjects/"+c.object, c.body, auth), c.status)
			if a.text("0.errorCode") != c.code {
				t.Errorf("%s, want %s", a.raw, c.code)
			}
		})
	}
	if a := d.send("POST", sfAPI+"/sobjects/Case", "a=b", auth, "Content-Type: application/x-www-form-urlencoded"); a.status != 415 {
		t.Errorf("form: %d", a.status)
	}
	if a := d.send("GET", sfAPI+"/query?q="+strings.Repeat("x", 16384), "", auth); a.status != 414 {
		t.Errorf("long URI: %d", a.status)
	}
	if n := len(d.Salesforce().Cases()); n != 1 {
		t.Errorf("%d cases", n)
	}
	d.want(d.send("POST", sfAPI+"/sobjects/CaseComment", `{"ParentId":"`+id[:15]+`","CommentBody":"`+strings.Repeat("语", 1333)+`"}`, auth), 201)
}

func TestSalesforceReadUpdate(t *testing.T) {
	d := newDesk(t)
	auth := d.salesforceToken()
	id := d.newCase(auth, `{"Subject":"x","Caseroom_Key__c":"k/1"}`)
	path := sfAPI + "/sobjects/Case/" + id
	a := d.want(d.send("GET", sfAPI+"/sobjects/Case/"+id[:15]+"?fields=Id,Status,OwnerId", "", auth), 200)
	if a.text("Id") != id || a.text("attributes.type") != "Case" || a.at("Subject") != nil {
		t.Errorf("get %s", a.raw)
	}
	wrongSum := id[:17] + "0"
	if id[17] == '0' {
		wrongSum = id[:17] + "1"
	}
	d.want(d.send("GET", sfAPI+"/sobjects/Case/"+wrongSum, "", auth), 404)
	d.want(d.send("GET", sfAPI+"/sobjects/Case/500Hs0000099999", "", auth), 404)
	d.want(d.send("GET", path+"?fields=Nope", "", auth), 400)

	key := d.want(d.send("GET", sfAPI+"/sobjects/Case/Caseroom_Key__c/k%2F1?fields=Id", "", auth), 200)
	if key.text("Id") != id {
		t.Errorf("by key %s", key.raw)
	}
	if miss := d.want(d.send("GET", sfAPI+"/sobjects/Case/Caseroom_Key__c/K%2F1", "", auth), 404); miss.text("0.errorCode") != "NOT_FOUND" {
		t.Errorf("miss %s", miss.raw)
	}
	d.want(d.send("GET", sfAPI+"/sobjects/Case/Subject/x", "", auth), 404)

	d.clock.Advance(time.Minute)
	agent := d.Fixtures().Salesforce.AgentIDs[0]
	d.want(d.send("PATCH", path, `{"OwnerId":"`+agent+`"}`, auth, "Sforce-Auto-Assign: FALSE"), 204)
	c, _ := d.Salesforce().Case(id)
	if c.OwnerID != agent || !c.SystemModstamp.Equal(d.clock.Now()) {
		t.Errorf("patched %+v", c)
	}
	d.want(d.send("PATCH", path, `{"Status":"Closed"}`, auth), 204)
	if c, _ := d.Salesforce().Case(id); !c.IsClosed || c.OwnerID != d.Salesforce().Queue() {
		t.Errorf("an update without the header runs the assignment rule: %+v", c)
	}
	d.want(d.send("DELETE", path, "", auth), 204)
	if gone := d.want(d.send("GET", path, "", auth), 404); gone.text("0.errorCode") != "ENTITY_IS_DELETED" {
		t.Errorf("deleted %s", gone.raw)
	}
}

func TestSalesforceUpsertTranscript(t *testing.T) {
	d := newDesk(t)
	auth := d.salesforceToken()
	id := d.newCase(auth, `{"Subject":"x"}`)
	path := sfAPI + "/sobjects/Caseroom_Transcript__c/Caseroom_Name__c/" + url.PathEscape("500@1:1-2")
	body := `{"Caseroom_Case__c":"` + id + `","Caseroom_Start__c":"500@1:1","Caseroom_Body__c":"hello"}`
	d.want(d.send("PATCH", path+"?updateOnly=true", body, auth), 404)
	first := d.want(d.send("PATCH", path, body, auth), 201)
	again := d.want(d.send("PATCH", path, body, auth), 200)
	if first.at("created") != true || again.at("created") != false || first.text("id") != again.text("id") {
		t.Errorf("%s then %s", first.raw, again.raw)
	}
	d.want(d.send("PATCH", strings.Replace(path, "v68.0", "v45.0", 1), body, auth), 204)
	d.want(d.send("PATCH", path, `{"Caseroom_Name__c":"x"}`, auth), 400)
	longer := d.send("PATCH", strings.Replace(path, "1-2", "1-3", 1), body, auth)
	if longer.status != 400 || longer.text("0.errorCode") != "DUPLICATE_VALUE" {
		t.Errorf("another part that starts alike: %s", longer.raw)
	}
	d.want(d.send("PATCH", sfAPI+"/sobjects/Caseroom_Transcript__c/Nope__c/x", body, auth), 404)
	if n := len(d.State().Salesforce.Transcripts); n != 1 {
		t.Errorf("%d transcripts", n)
	}
}

func TestSalesforceWithoutPackage(t *testing.T) {
	d := newDesk(t)
	auth := d.salesforceToken()
	d.Salesforce().SetPackage(false)
	if a := d.send("POST", sfAPI+"/sobjects/Case", `{"Subject":"x","Caseroom_Key__c":"k"}`, auth); a.status != 400 || a.text("0.errorCode") != "INVALID_FIELD" {
		t.Errorf("create: %d %s", a.status, a.raw)
	}
	d.want(d.send("GET", sfAPI+"/sobjects/Case/Caseroom_Key__c/k", "", auth), 404)
	d.want(d.send("POST", sfAPI+"/sobjects/Caseroom_Transcript__c", `{}`, auth), 404)
	if a := d.soql(auth, "SELECT Id FROM Case WHERE Caseroom_Key__c != null"); a.text("0.errorCode") != "INVALID_FIELD" {
		t.Errorf("query %s", a.raw)
	}
	d.newCase(auth, `{"Subject":"x"}`)
}

func TestSalesforceQuery(t *testing.T) {
	d := newDesk(t)
	auth := d.salesforceToken()
	org := d.Salesforce()
	a := d.newCase(auth, `{"Subject":"Alpha","Caseroom_Key__c":"Ka"}`)
	d.clock.Advance(time.Minute)
	b := d.newCase(auth, `{"Subject":"beta's"}`)
	c := d.newCase(auth, `{"Subject":"Gamma","Priority":"High"}`)
	agent := d.Fixtures().Salesforce.AgentIDs[0]
	for _, err := range []error{org.SetOwner(b, agent), org.Close(c)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, q := range []struct{ where, want string }{
		{"", a + b + c},
		{"WHERE Subject = 'ALPHA'", a},
		{"WHERE Caseroom_Key__c = 'ka'", ""},
		{"WHERE Caseroom_Key__c = 'Ka'", a},
		{"WHERE Caseroom_Key__c = null", b + c},
		{`WHERE Subject = 'beta\'s'`, b},
		{"WHERE Subject LIKE '%m%a'", c},
		{"WHERE Id IN ('" + a[:15] + "','" + c + "')", a + c},
		{"WHERE Id NOT IN ('" + a + "')", b + c},
		{"WHERE IsClosed = false AND OwnerId = '" + agent + "'", b},
		{"WHERE NOT IsClosed = false", c},
		{"WHERE (Subject = 'Alpha' OR Priority = 'High') AND IsClosed = true", c},
		{"WHERE SystemModstamp > 2026-11-20T12:00:00Z", b + c},
		{"WHERE SystemModstamp <= 2026-11-20T13:00:00.000+01:00", a},
		{"WHERE Owner.Type = 'User'", b},
		{"WHERE Owner.Name = 'Support' ORDER BY Subject DESC", c + a},
		{"ORDER BY Caseroom_Key__c NULLS LAST, Subject DESC LIMIT 2", a + c},
		{"ORDER BY Id LIMIT 1 OFFSET 1", b},
	} {
		r := d.want(d.soql(auth, "SELECT Id FROM Case "+q.where), 200)
		got := ""
		for i := range 3 {
			got += r.text(fmt.Sprintf("records.%d.Id", i))
		}
		if got != q.want {
			t.Errorf("%s: %s, want %s", q.where, got, q.want)
		}
	}
	r := d.want(d.soql(auth, "SELECT Id, Owner.Name, Owner.Type FROM Case WHERE Id = '"+b+"'"), 200)
	if r.text("records.0.Owner.Name") != "Alex Agent" || r.text("records.0.Owner.Type") != "User" || r.text("totalSize") != "1" {
		t.Errorf("relationship %s", r.raw)
	}
	if r := d.want(d.soql(auth, "select count() from Case where IsClosed = false"), 200); r.text("totalSize") != "2" {
		t.Errorf("count %s", r.raw)
	}
	if err := org.Delete(a); err != nil {
		t.Fatal(err)
	}
	if r := d.soql(auth, "SELECT Id FROM Case"); r.text("totalSize") != "2" {
		t.Errorf("query shows the recycle bin: %s", r.raw)
	}
	all := d.want(d.send("GET", sfAPI+"/queryAll?q="+url.QueryEscape("SELECT Id, IsDeleted FROM Case WHERE IsDeleted = true"), "", auth), 200)
	if all.text("records.0.Id") != a || all.at("records.0.IsDeleted") != true {
		t.Errorf("queryAll %s", all.raw)
	}
}

func TestSalesforceQueryPages(t *testing.T) {
	d := newDesk(t)
	auth := d.salesforceToken()
	for range 5 {
		d.newCase(auth, `{"Subject":"x"}`)
	}
	d.Salesforce().SetPageSize(2)
	r := d.want(d.soql(auth, "SELECT Id FROM Case"), 200)
	pages := 1
	for r.at("done") == false {
		r = d.want(d.send("GET", "/salesforce"+r.text("nextRecordsUrl"), "", auth), 200)
		pages++
	}
	if pages != 3 || r.text("totalSize") != "5" || r.at("records.1") != nil {
		t.Errorf("%d pages, last %s", pages, r.raw)
	}
	if bad := d.send("GET", sfAPI+"/query/0r8nothing-2", "", auth); bad.status != 400 || bad.text("0.errorCode") != "INVALID_QUERY_LOCATOR" {
		t.Errorf("locator %d %s", bad.status, bad.raw)
	}
}

func TestSalesforceQueryRefusals(t *testing.T) {
	d := newDesk(t)
	auth := d.salesforceToken()
	for q, code := range map[string]string{
		"":                                       "MALFORMED_QUERY",
		"SELECT FROM Case":                       "MALFORMED_QUERY",
		"SELECT Id FROM Case WHERE":              "MALFORMED_QUERY",
		"SELECT Id FROM Case WHERE Id =":         "MALFORMED_QUERY",
		"SELECT Id FROM Case WHERE Id IN ()":     "MALFORMED_QUERY",
		"SELECT Id FROM Case WHERE Subject = 'x": "MALFORMED_QUERY",
		"SELECT Id FROM Case LIMIT -1":           "MALFORMED_QUERY",
		"SELECT Id FROM Case; DELETE":            "MALFORMED_QUERY",
		"SELECT Id, id FROM Case":                "MALFORMED_QUERY",
		"SELECT Id FROM Case WHERE IsClosed=true AND Id=null OR Id=null":     "MALFORMED_QUERY",
		"SELECT Id FROM Case GROUP BY Id":                                    "MALFORMED_QUERY",
		"SELECT Id FROM Case WHERE " + strings.Repeat("(", 60) + "Id = null": "MALFORMED_QUERY",
		"SELECT Nope FROM Case":                                              "INVALID_FIELD",
		"SELECT Comments FROM Case":                                          "INVALID_FIELD",
		"SELECT Owner.Email FROM Case":                                       "INVALID_FIELD",
		"SELECT Id FROM Case ORDER BY Nope":                                  "INVALID_FIELD",
		"SELECT Id FROM Case WHERE SystemModstamp > '2026-11-20T12:00:00Z'":  "INVALID_FIELD",
		"SELECT Id FROM Case WHERE Subject = 5":                              "INVALID_FIELD",
		"SELECT Id FROM Case WHERE IsClosed = 'true'":                        "INVALID_FIELD",
		"SELECT Id FROM Case WHERE Id = 'nonsense'":                          "INVALID_QUERY_FILTER_OPERATOR",
		"SELECT Id FROM Nope":                                                "INVALID_TYPE",
		"SELECT Id FROM Case OFFSET 2001":                                    "NUMBER_OUTSIDE_VALID_RANGE",
	} {
		if a := d.soql(auth, q); a.status != 400 || a.text("0.errorCode") != code {
			t.Errorf("%.80s: %d %s, want %s", q, a.status, a.raw, code)
		}
	}
}

func TestSalesforceOrgActions(t *testing.T) {
	d := newDesk(t)
	auth := d.salesforceToken()
	org := d.Salesforce()
	var events []string
	org.OnChange(func(e sandbox.SalesforceEvent) { events = append(events, e.Object+" "+e.Kind) })
	a := d.newCase(auth, `{"Subject":"a","Comments":"first"}`)
	b, err := org.CreateCase("b", "")
	if err != nil {
		t.Fatal(err)
	}
	d.clock.Advance(time.Minute)
	user := org.AddUser("Chris", "Standard", true)
	work, err := org.AddAgentWork(a, user)
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range []func() error{
		func() error { return org.SetAgentWork(work, "Opened") },
		func() error { return org.Close(a) },
		func() error { return org.Reopen(a) },
		func() error { return org.Delete(a) },
		func() error { return org.Undelete(a) },
		func() error { return org.Merge(a, b) },
		func() error { return org.SetActive(user, false) },
	} {
		if err := step(); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	want := "CaseComment create|Case create|Case create|User create|AgentWork create|AgentWork update|Case update|" +
		"Case update|Case update|Case delete|Case undelete|Case delete|Case update|User update"
	if got := strings.Join(events, "|"); got != want {
		t.Errorf("events\n%s\nwant\n%s", got, want)
	}
	ca, _ := org.Case(a)
	cb, _ := org.Case(b)
	if ca.OwnerID != user || ca.IsClosed || ca.IsDeleted || !ca.SystemModstamp.Equal(d.clock.Now()) {
		t.Errorf("winner %+v", ca)
	}
	if !cb.IsDeleted || cb.MasterRecordID != a {
		t.Errorf("loser %+v", cb)
	}
	if r := d.soql(auth, "SELECT UserId, WorkItemId, Status FROM AgentWork WHERE Status = 'Opened' AND WorkItemId IN ('"+a+"')"); r.text("records.0.UserId") != user {
		t.Errorf("agent work %s", r.raw)
	}
	if r := d.soql(auth, "SELECT Id, UserType, IsActive FROM User WHERE Id IN ('"+user+"')"); r.at("records.0.IsActive") != false {
		t.Errorf("user %s", r.raw)
	}
	_, inactive := org.AddAgentWork(a, user)
	_, gone := org.AddAgentWork(b, d.Fixtures().Salesforce.AgentIDs[0])
	for name, err := range map[string]error{
		"owner": org.SetOwner(a, "005Hs0000000Zzz"), "case": org.Close("500Hs0000000Zzz"), "deleted": org.Close(b), "self": org.Merge(a, a),
		"work for nobody": inactive, "work on a deleted case": gone,
		"accepted twice": org.SetAgentWork(work, "Opened"), "no such status": org.SetAgentWork(work, "Accepted"),
		"offered again": org.SetAgentWork(work, "Assigned"),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	setup := org.Setup()
	setup.Omni = false
	org.SetSetup(setup)
	if _, err := org.AddAgentWork(a, d.Fixtures().Salesforce.AgentIDs[0]); err == nil {
		t.Error("work without Omni-Channel")
	}
}

func TestSalesforceCodeFaults(t *testing.T) {
	d := newDesk(t)
	auth := d.salesforceToken()
	for code, status := range map[string]int{
		"INVALID_SESSION_ID": 401, "DUPLICATE_VALUE": 400, "REQUEST_LIMIT_EXCEEDED": 403, "UNABLE_TO_LOCK_ROW": 400, "SERVER_UNAVAILABLE": 503,
	} {
		if err := d.AddFault(sandbox.Fault{Vendor: "salesforce", Op: "sobject_create", Kind: sandbox.FaultCode, Code: code, Times: 1}); err != nil {
			t.Fatal(err)
		}
		a := d.send("POST", sfAPI+"/sobjects/Case", `{}`, auth)
		if a.status != status || a.text("0.errorCode") != code {
			t.Errorf("%s: %d %s", code, a.status, a.raw)
		}
	}
	if n := len(d.Salesforce().Cases()); n != 0 {
		t.Errorf("%d cases", n)
	}
}
