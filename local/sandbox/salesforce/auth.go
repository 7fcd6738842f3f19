package salesforce

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/caseroom/caseroom/local/sandbox/engine"

	"github.com/golang-jwt/jwt/v5"
)

func oauthError(w http.ResponseWriter, code, description string) {
	engine.WriteJSON(w, http.StatusBadRequest, map[string]string{"error": code, "error_description": description})
}

// token is POST /services/oauth2/token: client credentials, with the secret in
// the form or a Basic header, and JWT bearer. The username-password flow is
// off, as in every org made since Summer '23.
//
// See https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_client_credentials_flow.htm.
func (f *org) token(w http.ResponseWriter, r *http.Request) {
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media != "application/x-www-form-urlencoded" || r.ParseForm() != nil {
		oauthError(w, "unsupported_grant_type", "grant type not supported")
		return
	}
	switch r.PostForm.Get("grant_type") {
	case "client_credentials":
		f.clientToken(w, r)
	case "urn:ietf:params:oauth:grant-type:jwt-bearer":
		f.jwtToken(w, r.PostForm.Get("assertion"))
	case "password":
		oauthError(w, "invalid_grant", "authentication failure")
	default:
		oauthError(w, "unsupported_grant_type", "grant type not supported")
	}
}

func (f *org) clientToken(w http.ResponseWriter, r *http.Request) {
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if user, pass, ok := r.BasicAuth(); ok {
		id, secret = user, pass
		// RFC 6749, 2.3.1: both halves are form-encoded inside the header.
		if plain, err := url.QueryUnescape(user); err == nil {
			id = plain
		}
		if plain, err := url.QueryUnescape(pass); err == nil {
			secret = plain
		}
	}
	want := f.fix
	switch {
	case id != want.ClientID:
		oauthError(w, "invalid_client_id", "client identifier invalid")
	case !hmac.Equal([]byte(secret), []byte(want.ClientSecret)):
		oauthError(w, "invalid_client", "invalid client credentials")
	case !f.clientCredentials:
		oauthError(w, "invalid_grant", "no client credentials user enabled")
	default:
		f.grant(w)
	}
}

// jwtToken checks the assertion as Salesforce does: RS256 by the app's
// certificate, iss the consumer key, sub the username, a known aud, and a
// numeric exp not more than five minutes ahead.
func (f *org) jwtToken(w http.ResponseWriter, assertion string) {
	want := f.fix
	var claims struct {
		Iss string          `json:"iss"`
		Sub string          `json:"sub"`
		Aud json.RawMessage `json:"aud"`
		Exp json.RawMessage `json:"exp"`
	}
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		oauthError(w, "invalid_grant", "invalid assertion")
		return
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		oauthError(w, "invalid_grant", "invalid assertion")
		return
	}
	if claims.Iss != want.ClientID {
		oauthError(w, "invalid_client_id", "client identifier invalid")
		return
	}
	// Only the signature: the claims are checked below, each with its own error.
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithoutClaimsValidation())
	_, err = parser.ParseWithClaims(assertion, jwt.MapClaims{}, func(*jwt.Token) (any, error) {
		return &Key().PublicKey, nil
	})
	if err != nil {
		oauthError(w, "invalid_grant", "invalid assertion")
		return
	}
	if !f.audience(claims.Aud) {
		oauthError(w, "invalid_grant", "audience is invalid")
		return
	}
	// A string is not a number here, whatever its digits.
	exp, err := strconv.ParseInt(string(claims.Exp), 10, 64)
	now := f.Now()
	switch {
	case err != nil || exp > now.Add(5*time.Minute).Unix():
		oauthError(w, "invalid_grant", "invalid assertion")
	case exp <= now.Unix():
		oauthError(w, "invalid_grant", "expired authorization code")
	case claims.Sub != want.Username:
		oauthError(w, "invalid_grant", "user hasn't approved this consumer")
	default:
		f.grant(w)
	}
}

func (f *org) audience(raw json.RawMessage) bool {
	var list []string
	var one string
	if json.Unmarshal(raw, &one) == nil {
		list = []string{one}
	} else if json.Unmarshal(raw, &list) != nil {
		return false
	}
	return len(list) == 1 && (list[0] == f.fix.Audience || list[0] == f.origin)
}

// open starts a session of the integration user.
func (f *org) open() string {
	fix := f.fix
	token := fix.OrgID[:15] + "!AQ." + f.ID(40)
	f.sessions[token] = &session{user: fix.OwnUserID, used: f.Now()}
	return token
}

// grant answers with a token. There is no expires_in and no refresh token.
func (f *org) grant(w http.ResponseWriter) {
	fix := f.fix
	id := f.origin + "/id/" + fix.OrgID + "/" + fix.OwnUserID
	issued := strconv.FormatInt(f.Now().UnixMilli(), 10)
	mac := hmac.New(sha256.New, []byte(fix.ClientSecret))
	mac.Write([]byte(id + issued))
	w.Header().Set("Cache-Control", "no-store")
	engine.WriteJSON(w, http.StatusOK, map[string]string{
		"access_token": f.open(), "signature": base64.StdEncoding.EncodeToString(mac.Sum(nil)),
		"scope": "api", "instance_url": f.origin, "id": id, "token_type": "Bearer", "issued_at": issued,
	})
}

// soapEnvelope is a login() request.
type soapEnvelope struct {
	XMLName xml.Name `xml:"http://schemas.xmlsoap.org/soap/envelope/ Envelope"`
	Body    struct {
		Login *struct {
			Username string `xml:"urn:partner.soap.sforce.com username"`
			Password string `xml:"urn:partner.soap.sforce.com password"`
		} `xml:"urn:partner.soap.sforce.com login"`
	} `xml:"http://schemas.xmlsoap.org/soap/envelope/ Body"`
}

// soapLogin is login() of the partner API, which 65.0 and later don't have.
//
// See https://help.salesforce.com/s/articleView?id=005132110.
func (f *org) soapLogin(w http.ResponseWriter, r *http.Request) {
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media != "text/xml" {
		soapFault(w, "soapenv:Client", "content type of the request is not text/xml")
		return
	}
	if _, ok := r.Header["Soapaction"]; !ok {
		soapFault(w, "soapenv:Client", "SOAPAction HTTP header missing")
		return
	}
	version, err := strconv.ParseFloat(r.PathValue("version"), 64)
	if err != nil || version < minVersion || version > maxVersion {
		soapFault(w, "sf:UNSUPPORTED_API_VERSION", "UNSUPPORTED_API_VERSION: Invalid Api version specified on URL")
		return
	}
	if version > maxLogin {
		soapFault(w, "sf:INVALID_OPERATION", "INVALID_OPERATION: login() is not supported in this API version")
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		soapFault(w, "soapenv:Client", "the request could not be read")
		return
	}
	var envelope soapEnvelope
	if xml.Unmarshal(body, &envelope) != nil || envelope.Body.Login == nil {
		soapFault(w, "soapenv:Client", "No operation available for request")
		return
	}
	login := envelope.Body.Login
	fix := f.fix
	if login.Username != fix.Username || !hmac.Equal([]byte(login.Password), []byte(fix.Password+fix.SecurityToken)) {
		soapFault(w, "sf:INVALID_LOGIN", "INVALID_LOGIN: Invalid username, password, security token; or user locked out.")
		return
	}
	session := f.open()
	if f.passwordExpired {
		delete(f.sessions, session) // 200 all the same: the session is good for nothing
	}
	server := f.origin + "/services/Soap/u/" + r.PathValue("version") + "/" + fix.OrgID[:15]
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	_, _ = fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?>`+
		`<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com">`+
		`<soapenv:Body><loginResponse><result><passwordExpired>%t</passwordExpired><sandbox>false</sandbox>`+
		`<serverUrl>%s</serverUrl><sessionId>%s</sessionId><userId>%s</userId>`+
		`<userInfo><organizationId>%s</organizationId><userId>%s</userId><userName>%s</userName></userInfo>`+
		`</result></loginResponse></soapenv:Body></soapenv:Envelope>`,
		f.passwordExpired, html.EscapeString(server), session, fix.OwnUserID, fix.OrgID, fix.OwnUserID, html.EscapeString(fix.Username))
}

func soapFault(w http.ResponseWriter, code, text string) {
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.WriteHeader(http.StatusInternalServerError)
	_, _ = fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?>`+
		`<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:sf="urn:fault.partner.soap.sforce.com">`+
		`<soapenv:Body><soapenv:Fault><faultcode>%s</faultcode><faultstring>%s</faultstring></soapenv:Fault></soapenv:Body></soapenv:Envelope>`,
		html.EscapeString(code), html.EscapeString(text))
}

// identity is GET of the id URL in the token response.
func (f *org) identity(w http.ResponseWriter, r *http.Request) {
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	s := f.session(token)
	if s == nil {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "Bad_OAuth_Token")
		return
	}
	row := f.rows[r.PathValue("user")]
	if row == nil || row.object.name != "User" || r.PathValue("org") != f.fix.OrgID {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	engine.WriteJSON(w, http.StatusOK, map[string]any{
		"id": f.origin + r.URL.Path[len("/salesforce"):], "user_id": row.id(), "organization_id": f.fix.OrgID,
		"username": row.text("Username"), "email": row.text("Email"), "display_name": row.text("Name"),
		"active": row.values["IsActive"], "user_type": strings.ToUpper(row.text("UserType")),
	})
}

// Key is the key pair of the JWT bearer flow's certificate, one a process. Making
// it takes a moment.
var Key = sync.OnceValue(newRSAKey)

func newRSAKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // the system has no random source
	}
	return key
}
