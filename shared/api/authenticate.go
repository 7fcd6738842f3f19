package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/login"
	"github.com/caseroom/caseroom/shared/problem"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/session"
)

// CallerKind says by which credential a caller proved itself.
type CallerKind int

// The kinds of caller.
const (
	Nobody CallerKind = iota
	EndUser
	Guest
	ZendeskAgent
	DeskKey
	IAM
	Webhook
	AppURL
)

// callerKinds are the kinds as logs name them.
var callerKinds = map[CallerKind]string{
	Nobody:       "nobody",
	EndUser:      "login",
	Guest:        "guest",
	ZendeskAgent: "agent",
	DeskKey:      "deskKey",
	IAM:          "iam",
	Webhook:      "webhook",
	AppURL:       "appUrl",
}

// Caller is who sent a request, as proven.
type Caller struct {
	Kind  CallerKind
	User  login.User        // EndUser
	Guest identity.Identity // Guest
	Agent string            // ZendeskAgent: the Zendesk user id
	Desk  relay.DeskName    // DeskKey, IAM, Webhook
	// Key tells live desk keys apart in logs: eight characters of its hash.
	Key string
}

// DeskKeys are the keys by which desks call, at most two live at a desk: the
// secret caseroom/desk-keys.
type DeskKeys struct {
	Salesforce []string `json:"salesforce"`
	Zendesk    []string `json:"zendesk"`
}

// minDeskKey keeps a placeholder from becoming a key.
const minDeskKey = 16

// Validate checks that every key is long enough to be one, and that a header can
// carry it.
func (k DeskKeys) Validate() error {
	for _, key := range slices.Concat(k.Salesforce, k.Zendesk) {
		if len(key) < minDeskKey {
			return errors.New("a desk key is shorter than 16 characters")
		}
		if strings.TrimSpace(key) != key {
			return errors.New("a desk key begins or ends with white space")
		}
	}
	return nil
}

// String keeps the keys out of prints.
func (k DeskKeys) String() string { return "REDACTED" }

// LogValue keeps the keys out of logs.
func (k DeskKeys) LogValue() slog.Value { return slog.StringValue("REDACTED") }

// Authenticator knows the credentials a function accepts. A part that is nil
// is not accepted.
type Authenticator struct {
	Login    *login.Verifier
	Cookie   string   // the cookie that may carry the login token
	Origins  []string // who may send it with a POST
	Guests   *session.Guests
	Agents   *session.Agents
	DeskKeys func(context.Context) (DeskKeys, error)
}

// Authenticate returns the request's caller or an Unauthorized, Forbidden or
// Unavailable problem. Without any credential the caller is Nobody. A wrong
// Authorization is refused even beside a good cookie.
//
// It puts the caller on the request's log line.
func (a *Authenticator) Authenticate(r *Request) (Caller, error) {
	caller, err := a.authenticate(r)
	r.LogCaller(caller)
	return caller, err
}

func (a *Authenticator) authenticate(r *Request) (Caller, error) {
	if strings.HasPrefix(r.URL.Path, "/iam/") {
		if r.Principal == "" {
			return Caller{}, problem.New(problem.Forbidden, "This route takes requests signed by an IAM principal.")
		}
		return Caller{Kind: IAM, Desk: relay.Salesforce}, nil
	}
	token, err := bearerToken(r)
	switch {
	case err != nil:
		return Caller{}, err
	case token == "":
		return a.cookie(r)
	}
	return a.bearer(r.Context(), token)
}

var (
	errCredential   = problem.New(problem.Unauthorized, "The credential is missing, wrong or expired.")
	errNoCredential = problem.New(problem.Unauthorized, "This route needs a credential.")
	errNoBearer     = problem.New(problem.Unauthorized, "Send the credential as a bearer token.")
)

// bearerToken returns the token in the request's Authorization, "" where there is
// no such header. Of two it never chooses one.
func bearerToken(r *Request) (string, error) {
	switch values := r.Header.Values("Authorization"); len(values) {
	case 0:
		return "", nil
	case 1:
		scheme, token, _ := strings.Cut(values[0], " ")
		token = strings.TrimLeft(token, " ") // RFC 9110 section 11.4 allows several
		if !strings.EqualFold(scheme, "Bearer") || token == "" {
			return "", errNoBearer
		}
		return token, nil
	default:
		return "", errCredential
	}
}

// oneOf compares a token with every live one, whatever matches, over hashes of
// equal length.
func oneOf(token string, live []string) bool {
	sum := sha256.Sum256([]byte(token))
	matches := 0
	for _, l := range live {
		known := sha256.Sum256([]byte(l))
		matches |= subtle.ConstantTimeCompare(sum[:], known[:])
	}
	return matches == 1
}

func (a *Authenticator) bearer(ctx context.Context, token string) (Caller, error) {
	issuer, isJWT := session.Issuer(token)
	switch {
	case !isJWT:
		return a.deskKey(ctx, token)
	case issuer == session.GuestIssuer:
		if a.Guests == nil {
			return Caller{}, errCredential
		}
		guest, err := a.Guests.Verify(ctx, token)
		return Caller{Kind: Guest, Guest: guest}, credential(err)
	case issuer == session.AgentIssuer:
		if a.Agents == nil {
			return Caller{}, errCredential
		}
		agent, err := a.Agents.Verify(ctx, token)
		return Caller{Kind: ZendeskAgent, Agent: agent}, credential(err)
	default:
		return a.login(ctx, token)
	}
}

func (a *Authenticator) login(ctx context.Context, token string) (Caller, error) {
	if a.Login == nil {
		return Caller{}, errCredential
	}
	user, err := a.Login.Verify(ctx, token)
	return Caller{Kind: EndUser, User: user}, credential(err)
}

// credential makes a verifier's refusal a 401 and keeps its other errors.
func credential(err error) error {
	if errors.Is(err, login.ErrInvalid) || errors.Is(err, session.ErrInvalid) {
		return problem.Wrap(err, problem.Unauthorized, "The credential is missing, wrong or expired.")
	}
	return err
}

// cookie authenticates a browser. A POST must be one that no foreign page can
// send: JSON, which needs a preflight, and from a listed origin.
func (a *Authenticator) cookie(r *Request) (Caller, error) {
	if a.Login == nil || a.Cookie == "" {
		return Caller{}, nil
	}
	var tokens []string
	for _, c := range r.CookiesNamed(a.Cookie) {
		if c.Value != "" && !slices.Contains(tokens, c.Value) {
			tokens = append(tokens, c.Value)
		}
	}
	if len(tokens) == 0 {
		return Caller{}, nil
	}
	if r.Method != http.MethodGet {
		if mediaType(r) != "application/json" {
			return Caller{}, problem.New(problem.UnsupportedMediaType, "A request with a login cookie must be application/json.")
		}
		if origin := r.Header.Values("Origin"); len(origin) > 0 && (len(origin) > 1 || !slices.Contains(a.Origins, origin[0])) {
			return Caller{}, problem.New(problem.Forbidden, "This origin may not send a login cookie.")
		}
	}
	return a.oneLogin(r.Context(), tokens)
}

// maxCookies bounds the signatures that one request can have checked.
const maxCookies = 4

// oneLogin accepts the one token of several that verifies. Browsers send two
// cookies of a name after a site has moved it to another domain or path, the
// stale one first or last. Two that verify are refused, for they may be two
// people's.
func (a *Authenticator) oneLogin(ctx context.Context, tokens []string) (Caller, error) {
	if len(tokens) > maxCookies {
		return Caller{}, errCredential
	}
	var found []Caller
	var refused error
	for _, token := range tokens {
		caller, err := a.login(ctx, token)
		switch {
		case err == nil:
			found = append(found, caller)
		case problem.CodeOf(err) != problem.Unauthorized:
			return Caller{}, err
		default:
			refused = err
		}
	}
	switch len(found) {
	case 0:
		return Caller{}, refused
	case 1:
		return found[0], nil
	}
	return Caller{}, errCredential
}

// keyName names a key that is 16 characters or more without telling it.
func keyName(key string) string { return identity.HashID("", key, 8) }

func (a *Authenticator) deskKey(ctx context.Context, key string) (Caller, error) {
	if a.DeskKeys == nil {
		return Caller{}, errCredential
	}
	keys, err := a.DeskKeys(ctx)
	if err != nil {
		return Caller{}, err
	}
	switch salesforce, zendesk := oneOf(key, keys.Salesforce), oneOf(key, keys.Zendesk); {
	case zendesk:
		return Caller{Kind: DeskKey, Desk: relay.Zendesk, Key: keyName(key)}, nil
	case salesforce:
		return Caller{Kind: DeskKey, Desk: relay.Salesforce, Key: keyName(key)}, nil
	}
	return Caller{}, errCredential
}
