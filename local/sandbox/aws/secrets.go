package aws

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caseroom/caseroom/local/sandbox/engine"
)

// MaxSecret is the size limit of a secret's value.
const MaxSecret = 65536

type secret struct {
	arn, name, description string
	created                time.Time
	deleted                time.Time        // marked for deletion; zero if not
	versions               []*secretVersion // oldest first
}

type secretVersion struct {
	id      string
	text    *string
	binary  []byte
	stages  []string
	created time.Time
}

var secretsOps = map[string]operation{
	"GetSecretValue": (*cloud).getSecretValue,
	"DescribeSecret": (*cloud).describeSecret,
	"CreateSecret":   (*cloud).createSecret,
	"PutSecretValue": (*cloud).putSecretValue,
	"DeleteSecret":   (*cloud).deleteSecret,
	"ListSecrets":    (*cloud).listSecrets,
}

// Account is the account from the inside.
type Account struct{ a *cloud }

// SetSecret gives a secret a new current value, as a rotation does; the value
// before it becomes AWSPREVIOUS. An unknown id makes a secret. It changes what
// the stack reads, not what the vendors accept.
func (x Account) SetSecret(id string, value json.RawMessage) {
	a := x.a
	a.Lock()
	defer a.Unlock()
	a.loadSecrets()
	sec := a.secrets[id]
	if sec == nil {
		sec = a.newSecret(id)
	}
	text := string(value)
	sec.put(a.version(&text, nil, ""))
}

// DeleteSecret makes a secret unknown.
func (x Account) DeleteSecret(id string) {
	a := x.a
	a.Lock()
	defer a.Unlock()
	a.loadSecrets()
	delete(a.secrets, id)
}

// loadSecrets asks for the secrets on first use: one of them holds an RSA key,
// which not every user of a sandbox should wait for.
func (a *cloud) loadSecrets() {
	if a.secrets != nil {
		return
	}
	a.secrets = map[string]*secret{}
	values := a.initial()
	for _, id := range slices.Sorted(maps.Keys(values)) {
		text := string(values[id])
		a.newSecret(id).put(a.version(&text, nil, ""))
	}
}

func (a *cloud) newSecret(name string) *secret {
	f := a.fix
	sec := &secret{
		arn:     "arn:aws:secretsmanager:" + f.Region + ":" + f.AccountID + ":secret:" + name + "-" + a.ID(3),
		name:    name,
		created: a.Now(),
	}
	a.secrets[name] = sec
	return sec
}

func (a *cloud) version(text *string, binary []byte, token string) *secretVersion {
	if token == "" {
		token = a.UUID()
	}
	return &secretVersion{id: token, text: text, binary: binary, created: a.Now()}
}

// put makes v current and what was current previous.
func (sec *secret) put(v *secretVersion) {
	for _, old := range sec.versions {
		current := slices.Contains(old.stages, "AWSCURRENT")
		old.stages = nil
		if current {
			old.stages = []string{"AWSPREVIOUS"}
		}
	}
	v.stages = []string{"AWSCURRENT"}
	sec.versions = slices.DeleteFunc(append(sec.versions, v), func(x *secretVersion) bool { return len(x.stages) == 0 })
}

// findSecret resolves a name, a full ARN, or an ARN without its random suffix.
func (a *cloud) findSecret(id string) (*secret, *refusal) {
	a.loadSecrets()
	if id == "" {
		return nil, refuse("InvalidParameterException", "SecretId is missing")
	}
	if sec := a.secrets[id]; sec != nil {
		return sec, nil
	}
	for _, sec := range a.secrets {
		if id == sec.arn || id == sec.arn[:strings.LastIndexByte(sec.arn, '-')] {
			return sec, nil
		}
	}
	return nil, refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

func epoch(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// getSecretValue follows
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html.
func (a *cloud) getSecretValue(r *http.Request, body []byte) (any, *refusal) {
	var in struct{ SecretId, VersionId, VersionStage string }
	if err := engine.Decode(body, &in); err != nil {
		return nil, refuse("SerializationException", "the body is not the operation's input")
	}
	a.Lock()
	defer a.Unlock()
	engine.Note(r, "secret", in.SecretId)
	sec, e := a.liveSecret(in.SecretId)
	if e != nil {
		return nil, e
	}
	if in.VersionStage == "" && in.VersionId == "" {
		in.VersionStage = "AWSCURRENT"
	}
	for _, v := range sec.versions {
		if (in.VersionId != "" && v.id != in.VersionId) ||
			(in.VersionStage != "" && !slices.Contains(v.stages, in.VersionStage)) {
			continue
		}
		out := map[string]any{
			"ARN": sec.arn, "Name": sec.name, "VersionId": v.id,
			"VersionStages": v.stages, "CreatedDate": epoch(v.created),
		}
		if v.text != nil {
			out["SecretString"] = *v.text
		} else {
			out["SecretBinary"] = v.binary
		}
		return out, nil
	}
	return nil, refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret value.")
}

// describeSecret follows
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DescribeSecret.html.
func (a *cloud) describeSecret(r *http.Request, body []byte) (any, *refusal) {
	var in struct{ SecretId string }
	if err := engine.Decode(body, &in); err != nil {
		return nil, refuse("SerializationException", "the body is not the operation's input")
	}
	a.Lock()
	defer a.Unlock()
	engine.Note(r, "secret", in.SecretId)
	sec, e := a.findSecret(in.SecretId)
	if e != nil {
		return nil, e
	}
	stages := map[string][]string{}
	changed := sec.created
	for _, v := range sec.versions {
		stages[v.id], changed = v.stages, v.created
	}
	out := map[string]any{
		"ARN": sec.arn, "Name": sec.name, "VersionIdsToStages": stages,
		"CreatedDate": epoch(sec.created), "LastChangedDate": epoch(changed),
	}
	if sec.description != "" {
		out["Description"] = sec.description
	}
	return out, nil
}

type secretInput struct {
	Name, SecretId, ClientRequestToken, Description string
	SecretString                                    *string
	SecretBinary                                    []byte
}

func (in secretInput) validate(needsValue bool) *refusal {
	switch n := len(in.ClientRequestToken); {
	case n != 0 && (n < 32 || n > 64):
		return refuse("InvalidParameterException", "ClientRequestToken must have 32 to 64 characters")
	case in.SecretString != nil && in.SecretBinary != nil:
		return refuse("InvalidParameterException", "give SecretString or SecretBinary, not both")
	case needsValue && in.SecretString == nil && in.SecretBinary == nil:
		return refuse("InvalidRequestException", "You must provide either SecretString or SecretBinary.")
	case len(in.SecretBinary) > MaxSecret, in.SecretString != nil && len(*in.SecretString) > MaxSecret:
		return refuse("InvalidParameterException", "the value is longer than %d bytes", MaxSecret)
	}
	return nil
}

// secretNames are the characters a secret's name may have.
const secretNames = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_+=.@-"

// createSecret follows
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html.
func (a *cloud) createSecret(r *http.Request, body []byte) (any, *refusal) {
	var in secretInput
	if err := engine.Decode(body, &in); err != nil {
		return nil, refuse("SerializationException", "the body is not the operation's input")
	}
	if e := in.validate(false); e != nil {
		return nil, e
	}
	if in.Name == "" || len(in.Name) > 512 || strings.Trim(in.Name, secretNames) != "" {
		return nil, refuse("ValidationException", "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!")
	}
	a.Lock()
	defer a.Unlock()
	engine.Note(r, "secret", in.Name)
	a.loadSecrets()
	if old := a.secrets[in.Name]; old != nil && !old.deleted.IsZero() {
		return nil, refuse("InvalidRequestException", "You can't create this secret because a secret with this name is already scheduled for deletion.")
	} else if old != nil {
		// The same request again is answered as the first one was.
		for _, v := range old.versions {
			if in.ClientRequestToken != "" && v.id == in.ClientRequestToken && v.text != nil && in.SecretString != nil && *v.text == *in.SecretString {
				return map[string]any{"ARN": old.arn, "Name": old.name, "VersionId": v.id}, nil
			}
		}
		return nil, refuse("ResourceExistsException", "The operation failed because the secret %s already exists.", in.Name)
	}
	sec := a.newSecret(in.Name)
	sec.description = in.Description
	out := map[string]any{"ARN": sec.arn, "Name": sec.name}
	if in.SecretString != nil || in.SecretBinary != nil {
		v := a.version(in.SecretString, in.SecretBinary, in.ClientRequestToken)
		sec.put(v)
		out["VersionId"] = v.id
	}
	return out, nil
}

// putSecretValue follows
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html.
func (a *cloud) putSecretValue(r *http.Request, body []byte) (any, *refusal) {
	var in secretInput
	if err := engine.Decode(body, &in); err != nil {
		return nil, refuse("SerializationException", "the body is not the operation's input")
	}
	if e := in.validate(true); e != nil {
		return nil, e
	}
	a.Lock()
	defer a.Unlock()
	engine.Note(r, "secret", in.SecretId)
	sec, e := a.liveSecret(in.SecretId)
	if e != nil {
		return nil, e
	}
	v := a.version(in.SecretString, in.SecretBinary, in.ClientRequestToken)
	for _, old := range sec.versions {
		if old.id != v.id {
			continue
		}
		same := (old.text == nil) == (v.text == nil) && string(old.binary) == string(v.binary) &&
			(v.text == nil || *old.text == *v.text)
		if !same {
			return nil, refuse("ResourceExistsException", "You can't use ClientRequestToken %s because that value is already in use for a version.", v.id)
		}
		return map[string]any{"ARN": sec.arn, "Name": sec.name, "VersionId": old.id, "VersionStages": old.stages}, nil
	}
	sec.put(v)
	return map[string]any{"ARN": sec.arn, "Name": sec.name, "VersionId": v.id, "VersionStages": v.stages}, nil
}

// liveSecret is findSecret for operations on a secret's value, which one that
// is marked for deletion refuses.
func (a *cloud) liveSecret(id string) (*secret, *refusal) {
	sec, e := a.findSecret(id)
	if e == nil && !sec.deleted.IsZero() {
		return nil, refuse("InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion.")
	}
	return sec, e
}

// deleteSecret marks a secret for deletion, or deletes it at once when told to.
// To force the deletion of a secret that is not there succeeds.
//
// See https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html.
func (a *cloud) deleteSecret(r *http.Request, body []byte) (any, *refusal) {
	var in struct {
		SecretId                   string
		ForceDeleteWithoutRecovery bool
		RecoveryWindowInDays       *int
	}
	if err := engine.Decode(body, &in); err != nil {
		return nil, refuse("SerializationException", "the body is not the operation's input")
	}
	days := 30
	if in.RecoveryWindowInDays != nil {
		if days = *in.RecoveryWindowInDays; in.ForceDeleteWithoutRecovery || days < 7 || days > 30 {
			return nil, refuse("InvalidParameterException", "RecoveryWindowInDays is from 7 to 30 days, and not with ForceDeleteWithoutRecovery")
		}
	}
	a.Lock()
	defer a.Unlock()
	engine.Note(r, "secret", in.SecretId)
	sec, e := a.findSecret(in.SecretId)
	switch {
	case e != nil && in.ForceDeleteWithoutRecovery && e.code == "ResourceNotFoundException":
		return map[string]any{"Name": in.SecretId, "DeletionDate": epoch(a.Now())}, nil
	case e != nil:
		return nil, e
	}
	at := a.Now()
	if in.ForceDeleteWithoutRecovery {
		delete(a.secrets, sec.name)
	} else {
		sec.deleted = at
		at = at.AddDate(0, 0, days)
	}
	return map[string]any{"ARN": sec.arn, "Name": sec.name, "DeletionDate": epoch(at)}, nil
}

// listSecrets lists secrets by name, those marked for deletion left out. Of the
// filters it knows name, which matches prefixes.
//
// See https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html.
func (a *cloud) listSecrets(_ *http.Request, body []byte) (any, *refusal) {
	var in struct {
		MaxResults int
		NextToken  string
		Filters    []struct {
			Key    string
			Values []string
		}
	}
	if err := engine.Decode(body, &in); err != nil {
		return nil, refuse("SerializationException", "the body is not the operation's input")
	}
	if in.MaxResults < 0 || in.MaxResults > 100 {
		return nil, refuse("InvalidParameterException", "MaxResults is from 1 to 100")
	}
	a.Lock()
	defer a.Unlock()
	a.loadSecrets()
	names := slices.Sorted(maps.Keys(a.secrets))
	for _, f := range in.Filters {
		if f.Key != "name" {
			return nil, refuse("InvalidParameterException", "the stand-in filters by name only")
		}
		names = slices.DeleteFunc(names, func(name string) bool {
			return !slices.ContainsFunc(f.Values, func(v string) bool { return strings.HasPrefix(name, v) })
		})
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		return !a.secrets[name].deleted.IsZero() || (in.NextToken != "" && name <= in.NextToken)
	})
	out := map[string]any{}
	if size := max(in.MaxResults, 1); in.MaxResults > 0 && len(names) > size {
		names = names[:size]
		out["NextToken"] = names[size-1]
	} else if in.MaxResults == 0 && len(names) > 100 {
		names = names[:100]
		out["NextToken"] = names[99]
	}
	list := []any{}
	for _, name := range names {
		list = append(list, map[string]any{"ARN": a.secrets[name].arn, "Name": name, "CreatedDate": epoch(a.secrets[name].created)})
	}
	out["SecretList"] = list
	return out, nil
}
