package salesforce_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caseroom/caseroom/shared/salesforce"
	"github.com/caseroom/caseroom/shared/upstream"
	"github.com/caseroom/caseroom/shared/upstream/upstreamtest"
)

func TestClientCredentials(t *testing.T) {
	o := newOrg(t)
	o.On("POST "+casesPath, created)
	if _, err := o.client().CreateCase(t.Context(), salesforce.Case{Key: key}); err != nil {
		t.Fatal(err)
	}
	got := o.To(tokenPath)[0]
	form, err := url.ParseQuery(got.Body)
	if err != nil || got.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || got.Query != "" {
		t.Fatalf("%v, %+v", err, got)
	}
	if form.Encode() != "client_id="+clientID+"&client_secret="+clientSecret+"&grant_type=client_credentials" {
		t.Errorf("form %v", form)
	}
}

func TestJWTBearer(t *testing.T) {
	o, clk := newOrg(t), upstreamtest.NewClock(noon)
	o.On("POST "+casesPath, created)
	o.On("POST "+tokenPath, func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.PostForm.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" || len(r.PostForm) != 2 {
			t.Errorf("form %v, %v", r.PostForm, err)
		}
		claims := jwt.MapClaims{}
		token, err := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithTimeFunc(clk.Now), jwt.WithJSONNumber()).
			ParseWithClaims(r.PostForm.Get("assertion"), claims, func(*jwt.Token) (any, error) { return &privateKey().PublicKey, nil })
		if err != nil || !token.Valid {
			t.Errorf("assertion: %v", err)
		}
		want := jwt.MapClaims{
			"iss": clientID, "sub": username, "aud": "https://test.salesforce.com",
			"exp": json.Number(fmt.Sprint(clk.Now().Unix() + 180)),
		}
		if fmt.Sprint(claims) != fmt.Sprint(want) {
			t.Errorf("claims %v, want %v", claims, want)
		}
		o.grant(w, r)
	})
	creds := salesforce.Credentials{ClientID: clientID, Username: username, PrivateKey: privatePEM(t), Audience: "https://test.salesforce.com"}
	c := o.client(func(o *salesforce.Options) { o.Now, o.Credentials = clk.Now, fixed(creds) })
	if _, err := c.CreateCase(t.Context(), salesforce.Case{Key: key}); err != nil {
		t.Fatal(err)
	}
	if n := len(o.To(tokenPath)); n != 1 {
		t.Errorf("%d token requests", n)
	}
}

func TestTokenIsCachedAndReplaced(t *testing.T) {
	o, clk := newOrg(t), upstreamtest.NewClock(noon)
	o.On("GET "+casePath, reply(200, `{"Id":"`+caseID+`"}`))
	c := o.client(func(o *salesforce.Options) { o.Now = clk.Now })
	for _, step := range []struct {
		after time.Duration
		mints int
	}{{0, 1}, {58 * time.Minute, 1}, {61 * time.Second, 2}, {time.Minute, 2}} {
		clk.Add(step.after)
		if _, err := c.CaseByKey(t.Context(), key, "ann"); err != nil {
			t.Fatal(err)
		}
		if n := len(o.To(tokenPath)); n != step.mints {
			t.Errorf("after another %v: %d tokens, want %d", step.after, n, step.mints)
		}
	}
}

func TestTokenIsFetchedOnceByMany(t *testing.T) {
	o := newOrg(t)
	o.On("GET "+casePath, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer 00D!tok-1" {
			restError(401, "INVALID_SESSION_ID")(w, r)
			return
		}
		reply(200, `{"Id":"`+caseID+`"}`)(w, r)
	})
	c := o.client()
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if _, err := c.CaseByKey(context.Background(), key, "ann"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(o.To(tokenPath)); n != 2 {
		t.Errorf("%d tokens asked for, want 2", n)
	}
}

func TestSecretRotation(t *testing.T) {
	old := salesforce.Credentials{ClientID: clientID, ClientSecret: "rotated-away"}
	t.Run("picked up", func(t *testing.T) {
		o := newOrg(t)
		o.On("GET "+casePath, reply(200, `{"Id":"`+caseID+`"}`))
		c := o.client(func(o *salesforce.Options) { o.Credentials, o.Reread = fixed(old), fixed(byClient) })
		if _, err := c.CaseByKey(t.Context(), key, "ann"); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("wrong", func(t *testing.T) {
		o := newOrg(t)
		_, err := o.client(func(o *salesforce.Options) { o.Credentials = fixed(old) }).CaseByKey(t.Context(), key, "ann")
		if e := mustError(t, err); !e.Credentials || e.Code != "invalid_client" || e.Class != upstream.Refused {
			t.Errorf("got %+v", e)
		}
		if n := len(o.To(tokenPath)); n != 1 {
			t.Errorf("%d token requests, want 1", n)
		}
	})
	t.Run("unreadable", func(t *testing.T) {
		o := newOrg(t)
		want := errors.New("secrets: caseroom/salesforce is not readable")
		_, err := salesforce.Desk{Client: o.client(func(o *salesforce.Options) {
			o.Credentials = func(context.Context) (salesforce.Credentials, error) { return salesforce.Credentials{}, want }
		})}.Create(t.Context(), ann)
		if !errors.Is(err, want) || len(o.Calls()) != 0 {
			t.Errorf("%v, %d calls", err, len(o.Calls()))
		}
	})
	t.Run("incomplete", func(t *testing.T) {
		o := newOrg(t)
		_, err := o.client(func(o *salesforce.Options) { o.Credentials = fixed(salesforce.Credentials{ClientID: "x"}) }).CaseByKey(t.Context(), key, "ann")
		if e := mustError(t, err); !e.Credentials || len(o.Calls()) != 0 {
			t.Errorf("%+v, %d calls", e, len(o.Calls()))
		}
	})
}

func TestTokenAnswers(t *testing.T) {
	for name, tc := range map[string]struct {
		h           http.HandlerFunc
		class       upstream.Class
		code        string
		credentials bool
	}{
		"expired assertion":      {reply(400, `{"error":"invalid_grant","error_description":"expired authorization code"}`), upstream.Refused, "invalid_grant", true},
		"rate limit":             {reply(400, `{"error":"rate_limit_exceeded"}`), upstream.RateLimited, "rate_limit_exceeded", false},
		"server error":           {reply(500, ``), upstream.Unavailable, "", false},
		"html":                   {reply(200, `<html>`), upstream.Unavailable, "", false},
		"null":                   {reply(200, `null`), upstream.Unavailable, "", false},
		"no token":               {reply(200, `{"instance_url":"https://x.salesforce.com"}`), upstream.Unavailable, "", false},
		"no instance":            {reply(200, `{"access_token":"tok-1"}`), upstream.Unavailable, "", false},
		"plain http instance":    {reply(200, `{"access_token":"tok-1","instance_url":"http://x.salesforce.com"}`), upstream.Unavailable, "", false},
		"instance with userinfo": {reply(200, `{"access_token":"tok-1","instance_url":"https://a:b@x.salesforce.com"}`), upstream.Unavailable, "", false},
		"unusable token":         {reply(200, `{"access_token":"a\nb","instance_url":"https://x.salesforce.com"}`), upstream.Unavailable, "", false},
		"reset":                  {drop, upstream.Unavailable, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrg(t)
			o.On("POST "+tokenPath, tc.h)
			// Create: a case that was never asked for is not looked up.
			_, err := salesforce.Desk{Client: o.client(), Wait: noWait}.Create(t.Context(), ann)
			if e := mustError(t, err); e.Class != tc.class || e.Code != tc.code || e.Credentials != tc.credentials {
				t.Errorf("got %+v", e)
			}
		})
	}
}

func TestInstanceOfASecureLoginIsSecure(t *testing.T) {
	c, err := salesforce.New(salesforce.Options{
		BaseURL: "https://acme.my.salesforce.com", KeyField: "K__c", Credentials: fixed(byClient),
		Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.URL.Scheme != "https" {
				t.Errorf("the token went to %s", r.URL)
			}
			return answer(200, `{"access_token":"tok-1","instance_url":"http://127.0.0.1:1"}`), nil
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.CaseByKey(t.Context(), key, "ann"); err == nil {
		t.Error("no error")
	}
}

// loginAnswer is an answer to login() as the API gives it.
func loginAnswer(serverURL, session, expired string) string {
	return `<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<soapenv:Body><loginResponse><result>
<metadataServerUrl>https://acme.my.salesforce.com/services/Soap/m/64.0/00D</metadataServerUrl>
<passwordExpired>` + expired + `</passwordExpired><sandbox>false</sandbox>
<serverUrl>` + serverURL + `</serverUrl><sessionId>` + session + `</sessionId>
<userId>005000000000001AAA</userId>
<userInfo><organizationId>00D000000000001AAA</organizationId><roleId xsi:nil="true"/><sessionSecondsValid>7200</sessionSecondsValid></userInfo>
</result></loginResponse></soapenv:Body></soapenv:Envelope>`
}

// loginFault is a refusal as the API gives it.
func loginFault(code string) string {
	return `<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:sf="urn:fault.partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<soapenv:Body><soapenv:Fault><faultcode>` + code + `</faultcode>
<faultstring>` + code + `: Invalid username, password, security token; or user locked out. ann@example.com</faultstring>
<detail><sf:LoginFault xsi:type="sf:LoginFault"><sf:exceptionCode>INVALID_LOGIN</sf:exceptionCode><sf:exceptionMessage>ann@example.com</sf:exceptionMessage></sf:LoginFault></detail>
</soapenv:Fault></soapenv:Body></soapenv:Envelope>`
}

func TestSOAPLogin(t *testing.T) {
	o := newOrg(t)
	o.On("POST "+casesPath, created)
	o.On("POST "+soapPath, func(w http.ResponseWriter, r *http.Request) {
		reply(200, loginAnswer(o.instance+"/services/Soap/u/64.0/00D000000000001", "00D!AQ.tok-1", "false"))(w, r)
	})
	c := o.client(func(o *salesforce.Options) { o.Credentials = fixed(bySOAP) })
	for range 2 {
		if id, err := c.CreateCase(t.Context(), salesforce.Case{Key: key}); err != nil || id != caseID {
			t.Fatalf("%q, %v", id, err)
		}
	}
	logins := o.To(soapPath)
	if len(logins) != 1 {
		t.Fatalf("%d logins", len(logins))
	}
	var in struct {
		Body struct {
			Login struct {
				XMLName  xml.Name
				Username string `xml:"urn:partner.soap.sforce.com username"`
				Password string `xml:"urn:partner.soap.sforce.com password"`
			} `xml:"urn:partner.soap.sforce.com login"`
		} `xml:"http://schemas.xmlsoap.org/soap/envelope/ Body"`
	}
	if err := xml.Unmarshal([]byte(logins[0].Body), &in); err != nil {
		t.Fatal(err)
	}
	if in.Body.Login.Username != username || in.Body.Login.Password != password+security {
		t.Errorf("logged in as %q with %q", in.Body.Login.Username, in.Body.Login.Password)
	}
	if ct := logins[0].Header.Get("Content-Type"); !strings.HasPrefix(ct, "text/xml") {
		t.Errorf("Content-Type %q", ct)
	}
	if _, ok := logins[0].Header["Soapaction"]; !ok {
		t.Error("no SOAPAction header")
	}
	if auth := o.To(casesPath)[0].Header.Get("Authorization"); auth != "Bearer 00D!AQ.tok-1" {
		t.Errorf("Authorization %q", auth)
	}
}

func TestSOAPLoginFailures(t *testing.T) {
	const at = "https://acme.my.salesforce.com/services/Soap/u/64.0/00D"
	for name, tc := range map[string]struct {
		status      int
		body        string
		class       upstream.Class
		code        string
		credentials bool
	}{
		"invalid login":      {500, loginFault("sf:INVALID_LOGIN"), upstream.Refused, "INVALID_LOGIN", true},
		"login() is off":     {500, loginFault("sf:INVALID_OPERATION"), upstream.Refused, "INVALID_OPERATION", true},
		"day's calls spent":  {500, loginFault("sf:REQUEST_LIMIT_EXCEEDED"), upstream.RateLimited, "REQUEST_LIMIT_EXCEEDED", false},
		"server unavailable": {500, loginFault("sf:SERVER_UNAVAILABLE"), upstream.Unavailable, "SERVER_UNAVAILABLE", false},
		"unknown":            {500, loginFault("sf:UNKNOWN_EXCEPTION"), upstream.Unavailable, "UNKNOWN_EXCEPTION", false},
		"SOAP's own":         {500, loginFault("soapenv:Server"), upstream.Unavailable, "Server", false},
		"code is prose":      {500, loginFault("tok-1 is bad"), upstream.Unavailable, "UNKNOWN_EXCEPTION", false},
		"fault with 200":     {200, loginFault("sf:INVALID_LOGIN"), upstream.Refused, "INVALID_LOGIN", true},
		"password expired":   {200, loginAnswer(at, "tok-1", "true"), upstream.Refused, "", true},
		"no session":         {200, loginAnswer(at, "", "false"), upstream.Unavailable, "", false},
		"odd server URL":     {200, loginAnswer("https://acme.my.salesforce.com/", "tok-1", "false"), upstream.Unavailable, "", false},
		"insecure server":    {200, loginAnswer("http://acme.my.salesforce.com/services/Soap/u/64.0/00D", "tok-1", "false"), upstream.Unavailable, "", false},
		"html":               {200, `<html><body>tok-1</body></html>`, upstream.Unavailable, "", false},
		"json":               {200, `null`, upstream.Unavailable, "", false},
		"truncated":          {200, loginAnswer(at, "tok-1", "false")[:300], upstream.Unavailable, "", false},
		"gone":               {404, `<html>`, upstream.Refused, "", true},
		"unavailable":        {503, `<html>`, upstream.Unavailable, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrg(t)
			o.On("POST "+soapPath, reply(tc.status, tc.body))
			c := o.client(func(o *salesforce.Options) { o.Credentials = fixed(bySOAP) })
			_, err := c.CreateCase(t.Context(), salesforce.Case{Key: key})
			if e := mustError(t, err); e.Class != tc.class || e.Code != tc.code || e.Credentials != tc.credentials || e.Op != "soap_login" {
				t.Errorf("got %+v", e)
			}
			if n := len(o.To(soapPath)); n != 1 {
				t.Errorf("%d logins", n)
			}
		})
	}
	t.Run("reset", func(t *testing.T) {
		o := newOrg(t)
		o.On("POST "+soapPath, drop)
		_, err := o.client(func(o *salesforce.Options) { o.Credentials = fixed(bySOAP) }).CreateCase(t.Context(), salesforce.Case{})
		if e := mustError(t, err); e.Class != upstream.Unavailable {
			t.Errorf("got %+v", e)
		}
	})
}

func FuzzSOAPLogin(f *testing.F) {
	f.Add(200, loginAnswer("https://acme.my.salesforce.com/services/Soap/u/64.0/00D", "tok-1", "false"))
	f.Add(200, loginAnswer("https://acme.my.salesforce.com/services/Soap/u/64.0/00D", "tok-1", "true"))
	f.Add(500, loginFault("sf:INVALID_LOGIN"))
	f.Add(200, `<a:Envelope xmlns:a="x"><Body/></a:Envelope>`)
	f.Add(200, `<!DOCTYPE x [<!ENTITY a "b">]><Envelope><Body><Fault><faultcode>&a;</faultcode></Fault></Body></Envelope>`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		c, err := salesforce.New(salesforce.Options{
			BaseURL: "https://acme.my.salesforce.com", KeyField: "K__c", Credentials: fixed(bySOAP),
			Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				if r.URL.Scheme != "https" {
					t.Errorf("a call to %s", r.URL)
				}
				if r.URL.Host == "acme.my.salesforce.com" && r.Method == http.MethodPost {
					return answer(status, body), nil
				}
				if status > 299 || r.Header.Get("Authorization") == "Bearer " {
					t.Errorf("a call on a login of status %d with %q", status, r.Header.Get("Authorization"))
				}
				return answer(200, `{"Id":"`+caseID+`"}`), nil
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.CaseByKey(t.Context(), key, "ann")
		var e *upstream.Error
		if err != nil && !errors.As(err, &e) {
			t.Errorf("%v", err)
		}
		if err != nil && (strings.Contains(err.Error(), password) || strings.Contains(err.Error(), security)) {
			t.Errorf("%v leaks", err)
		}
	})
}

func TestCredentials(t *testing.T) {
	pem := privatePEM(t)
	for name, tc := range map[string]struct {
		c  salesforce.Credentials
		ok bool
	}{
		"client credentials": {byClient, true},
		"JWT bearer":         {salesforce.Credentials{ClientID: "a", Username: "b", PrivateKey: pem, Audience: "c"}, true},
		"SOAP":               {bySOAP, true},
		"SOAP, no token":     {salesforce.Credentials{Username: "a", Password: "b"}, true},
		"nothing":            {salesforce.Credentials{}, false},
		"no client id":       {salesforce.Credentials{ClientSecret: clientSecret}, false},
		"no audience":        {salesforce.Credentials{ClientID: "a", Username: "b", PrivateKey: pem}, false},
		"bad key":            {salesforce.Credentials{ClientID: "a", Username: "b", PrivateKey: password, Audience: "c"}, false},
		"no username":        {salesforce.Credentials{Password: password}, false},
	} {
		err := tc.c.Validate()
		if (err == nil) != tc.ok {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			upstreamtest.NoLeak(t, err.Error(), secret...)
		}
	}
	var c salesforce.Credentials
	if err := json.Unmarshal([]byte(`{"clientId":"1","clientSecret":"2","username":"3","privateKey":"4","audience":"5","password":"6","securityToken":"7"}`), &c); err != nil {
		t.Fatal(err)
	}
	if c != (salesforce.Credentials{ClientID: "1", ClientSecret: "2", Username: "3", PrivateKey: "4", Audience: "5", Password: "6", SecurityToken: "7"}) {
		t.Error("the secret's keys are not read")
	}
	var log bytes.Buffer
	all := salesforce.Credentials{ClientSecret: clientSecret, Username: username, PrivateKey: pem, Password: password, SecurityToken: security}
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "a", all, "b", &all)
	fmt.Fprintf(&log, "%v %+v %#v %s", all, all, all, &all)
	upstreamtest.NoLeak(t, log.String(), secret...)
	if !strings.Contains(log.String(), "REDACTED") {
		t.Error(log.String())
	}
}
