package zendesk

import (
	"crypto/hmac"
	"encoding/json"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

var knownScopes = func() []string {
	list := []string{"read", "write", "impersonate"}
	for _, resource := range []string{
		"tickets", "users", "auditlogs", "organizations", "hc", "apps", "triggers", "automations",
		"targets", "webhooks", "macros", "requests", "satisfaction_ratings", "dynamic_content",
		"any_channel", "web_widget",
	} {
		list = append(list, resource+":read", resource+":write")
	}
	return list
}()

func oauthError(w http.ResponseWriter, code string) {
	status, text := http.StatusBadRequest, map[string]string{
		"invalid_client":         "Client authentication failed due to unknown client, no client authentication included, or unsupported authentication method.",
		"invalid_token":          "The access token provided is expired, revoked, malformed or invalid for other reasons.",
		"invalid_scope":          "The requested scope is invalid, unknown, or malformed.",
		"invalid_request":        "The request is missing a required parameter, includes an unsupported parameter value, or is otherwise malformed.",
		"unauthorized_client":    "The client is not authorized to perform this request using this method.",
		"unsupported_grant_type": "The authorization grant type is not supported by the authorization server.",
		"invalid_grant":          "The provided authorization grant is invalid, expired or revoked.",
	}[code]
	if code == "invalid_client" || code == "invalid_token" {
		status = http.StatusUnauthorized
	}
	write(w, status, map[string]string{"error": code, "error_description": text})
}

// mintToken is POST /oauth/tokens with grant_type=client_credentials. The
// token acts as the user who owns the client; there is no refresh token.
//
// See https://support.zendesk.com/hc/en-us/articles/9182123625370.
func (z *account) mintToken(w http.ResponseWriter, r *http.Request) {
	get, ok := readTokenRequest(w, r)
	if !ok {
		return
	}
	z.Lock()
	defer z.Unlock()
	if get("grant_type") != "client_credentials" {
		code := "unsupported_grant_type"
		if get("grant_type") == "" {
			code = "invalid_request"
		}
		oauthError(w, code)
		return
	}
	c := z.clients[get("client_id")]
	switch {
	case c == nil || strings.HasPrefix(c.id, "zis_") || !hmac.Equal([]byte(c.secret), []byte(get("client_secret"))):
		oauthError(w, "invalid_client")
		return
	case c.public:
		oauthError(w, "unauthorized_client")
		return
	}
	scopes := strings.Fields(get("scope"))
	if len(scopes) == 0 {
		oauthError(w, "invalid_scope")
		return
	}
	for _, s := range scopes {
		if !slices.Contains(knownScopes, s) {
			oauthError(w, "invalid_scope")
			return
		}
	}
	life := c.lifetime
	if raw := get("expires_in"); raw != "" {
		n, err := strconv.Atoi(raw)
		if err != nil || n < tokenMin || n > tokenMax {
			oauthError(w, "invalid_request")
			return
		}
		life = time.Duration(n) * time.Second
	}
	value := z.ID(32)
	z.tokens[value] = &token{client: c.id, user: c.owner, scopes: scopes, expires: z.Now().Add(life)}
	w.Header().Set("Cache-Control", "no-store")
	write(w, http.StatusOK, map[string]any{
		"access_token": value, "token_type": "bearer",
		"scope": strings.Join(scopes, " "), "expires_in": int(life / time.Second),
	})
}

// readTokenRequest reads the parameters from JSON or from a form.
func readTokenRequest(w http.ResponseWriter, r *http.Request) (func(string) string, bool) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch media {
	case "application/json":
		var m map[string]json.RawMessage
		if json.NewDecoder(r.Body).Decode(&m) != nil {
			oauthError(w, "invalid_request")
			return nil, false
		}
		o := &object{fields: m}
		return o.str, true
	case "application/x-www-form-urlencoded":
		if r.ParseForm() != nil {
			oauthError(w, "invalid_request")
			return nil, false
		}
		return r.PostForm.Get, true
	}
	oauthError(w, "invalid_request")
	return nil, false
}
