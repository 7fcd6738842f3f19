package salesforce

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"net/http"
	"strings"

	"github.com/caseroom/caseroom/shared/upstream"
)

// soapVersion is the last API version that has login(). Salesforce retires it
// with Summer '27 and leaves it off in new orgs.
const soapVersion = "64.0"

// unknownFault is Salesforce's code for a failure of its own.
const unknownFault = "UNKNOWN_EXCEPTION"

var (
	errPasswordExpired = errors.New("the password has expired")
	errSOAP            = errors.New("salesforce: not an answer to a SOAP login")
)

// session is what a SOAP login answers: a session, or a fault's code.
type session struct {
	ID, ServerURL   string
	UserID          string
	PasswordExpired bool
	Fault           string
}

// soapLogin logs in with username, password and security token, as the first
// connectors did. The session works as a bearer token at the host of serverUrl.
//
//	POST /services/Soap/u/64.0 <login xmlns="urn:partner.soap.sforce.com">
//	200 <loginResponse><result><sessionId/><serverUrl/><passwordExpired/></result></loginResponse>
//	500 <Fault><faultcode>sf:INVALID_LOGIN</faultcode></Fault>
//
// See https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_login.htm.
func (c *Client) soapLogin(ctx context.Context, creds Credentials) (upstream.Token, error) {
	const op = "soap_login"
	asked := c.now()
	res, err := c.http.Do(ctx, upstream.Call{
		Op: op, Method: http.MethodPost, Path: "/services/Soap/u/" + soapVersion,
		Header: http.Header{"Soapaction": {`""`}},
		Body:   loginEnvelope(creds), ContentType: "text/xml; charset=UTF-8",
	})
	if err != nil {
		return upstream.Token{}, err
	}
	s, err := parseLogin(res.Body)
	if err != nil && res.OK() {
		return upstream.Token{}, c.http.Senseless(op, res)
	}
	if err != nil || s.Fault != "" || !res.OK() {
		return upstream.Token{}, loginFailed(c.http, op, res, s.Fault)
	}
	if s.PasswordExpired {
		// It comes with 200 and a session that is good for nothing but a new password.
		e := c.http.Failed(op, res, upstream.Refused, "")
		e.Credentials, e.Err = true, errPasswordExpired
		return upstream.Token{}, e
	}
	base, _, ok := strings.Cut(s.ServerURL, "/services/Soap/")
	instance, err := c.instance(base)
	if err != nil || !ok || !upstream.HeaderValue(s.ID) {
		return upstream.Token{}, c.http.Senseless(op, res)
	}
	c.learnOwn(s.UserID)
	return upstream.Token{Value: s.ID, Instance: instance, Expires: asked.Add(tokenTTL)}, nil
}

// loginFailed classifies a fault. They all come with status 500, which alone
// would say nothing. One of Salesforce's own codes, in capitals, refuses the
// login; SOAP's Server and the like say no more than the status.
func loginFailed(h *upstream.Client, op string, res *upstream.Response, fault string) *upstream.Error {
	class := classOf(fault)
	if class == "" && fault != "" && fault != unknownFault && fault == strings.ToUpper(fault) {
		class = upstream.Refused
	}
	e := h.Failed(op, res, class, fault)
	e.Credentials = e.Class == upstream.Refused
	return e
}

// loginEnvelope escapes every field: a password may hold any character, and so
// may a username or token that somebody pasted.
func loginEnvelope(creds Credentials) []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` +
		`<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:urn="urn:partner.soap.sforce.com">` +
		`<soapenv:Body><urn:login><urn:username>`)
	_ = xml.EscapeText(&b, []byte(creds.Username)) // a Buffer's writes do not fail
	b.WriteString(`</urn:username><urn:password>`)
	_ = xml.EscapeText(&b, []byte(creds.Password+creds.SecurityToken))
	b.WriteString(`</urn:password></urn:login></soapenv:Body></soapenv:Envelope>`)
	return b.Bytes()
}

// parseLogin reads the answer to a login. A fault's string is prose and may
// name the user: only its code is kept.
func parseLogin(body []byte) (session, error) {
	var envelope struct {
		XMLName xml.Name `xml:"Envelope"`
		Body    struct {
			Login *struct {
				Result struct {
					ServerURL       string `xml:"serverUrl"`
					SessionID       string `xml:"sessionId"`
					UserID          string `xml:"userId"`
					PasswordExpired string `xml:"passwordExpired"`
				} `xml:"result"`
			} `xml:"loginResponse"`
			Fault *struct {
				Code string `xml:"faultcode"`
			} `xml:"Fault"`
		} `xml:"Body"`
	}
	if xml.Unmarshal(body, &envelope) != nil {
		return session{}, errSOAP
	}
	switch {
	case envelope.Body.Fault != nil:
		code := strings.TrimSpace(envelope.Body.Fault.Code)
		if i := strings.LastIndexByte(code, ':'); i >= 0 { // sf:INVALID_LOGIN
			code = code[i+1:]
		}
		if code = plainCode(code); code == "" {
			code = unknownFault
		}
		return session{Fault: code}, nil
	case envelope.Body.Login != nil:
		r := envelope.Body.Login.Result
		return session{
			ID: strings.TrimSpace(r.SessionID), UserID: strings.TrimSpace(r.UserID), ServerURL: strings.TrimSpace(r.ServerURL),
			PasswordExpired: strings.TrimSpace(r.PasswordExpired) == "true" || strings.TrimSpace(r.PasswordExpired) == "1",
		}, nil
	default:
		return session{}, errSOAP
	}
}
