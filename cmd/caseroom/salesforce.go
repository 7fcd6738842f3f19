package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/cli"
	"github.com/caseroom/caseroom/cmd/caseroom/internal/converge"
	"github.com/caseroom/caseroom/shared/boot/bootsalesforce"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/salesforce"
	"github.com/caseroom/caseroom/shared/upstream"
)

func salesforceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "salesforce",
		Short: "Look at the stack's Salesforce org",
		Long: `Looks at the stack's Salesforce org. What runs inside it is deployed with Salesforce's
own tools: docs/salesforce.md.`,
	}
	cmd.AddCommand(salesforceStatusCommand())
	return cmd
}

// orgStatus is what status finds.
type orgStatus struct {
	Org            string             `json:"org"`
	User           string             `json:"user"` // whom the stack signs in as
	APIVersion     string             `json:"apiVersion"`
	KeyField       string             `json:"keyField"`
	UserField      string             `json:"userField"`
	Transcripts    bool               `json:"transcripts"`    // the object is there
	PermissionSets []string           `json:"permissionSets"` // of the user; ours
	ViewsAllCases  *bool              `json:"viewsAllCases"`  // null: it cannot be seen
	Credentials    []orgCredential    `json:"namedCredentials"`
	Enabled        *bool              `json:"enabled"` // the package's switch; null: it cannot be seen
	Omni           bool               `json:"omni"`    // the stack follows Omni-Channel
	Requests       orgRequests        `json:"dailyApiRequests"`
	Notes          []string           `json:"notes"`
	Problems       []converge.Problem `json:"problems"`
}

type orgCredential struct {
	Name     string `json:"name"`
	Endpoint string `json:"endpoint"`
}

type orgRequests struct {
	Limit int `json:"limit"`
	Left  int `json:"left"`
}

func (st *orgStatus) wrong(do, format string, args ...any) {
	st.Problems = append(st.Problems, converge.Problem{What: fmt.Sprintf(format, args...), Do: do})
}

func (st *orgStatus) note(format string, args ...any) {
	st.Notes = append(st.Notes, fmt.Sprintf(format, args...))
}

// org is a stack's Salesforce as its integration user sees it.
type org struct {
	client *salesforce.Client
	config.Salesforce
	omni bool
	api  string
}

func salesforceStatusCommand() *cobra.Command {
	var at place
	var out cli.Printer
	var apiURL string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Tell whether the org has what caseroom needs, and its user the rights",
		Long: `Signs in as the stack does and looks at caseroom's fields and objects, at what the
integration user may do with them, and at what the API shows of the rest: permission
sets, the named credential, the package's switch, Omni-Channel, and the day's API
calls. Exit code 3 when something is wrong.

No API shows the key in the external credential, nor who may use it: that the org
reaches the stack is seen from its callouts alone.`,
		Args: cli.NoArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			s, err := at.open(ctx)
			if err != nil {
				return err
			}
			if apiURL == "" {
				apiURL = s.API
			}
			o, err := s.salesforce(apiURL)
			if err != nil {
				return err
			}
			st, err := o.status(ctx)
			if err != nil {
				return o.explain(err)
			}
			return out.Verdict(st, st.print, len(st.Problems))
		},
	}
	at.flags(cmd)
	out.Flags(cmd)
	apiFlag(cmd, &apiURL)
	return cmd
}

// salesforce makes the client of the stack's org. It makes no call.
func (s *stack) salesforce(apiURL string) (*org, error) {
	var env struct {
		config.Salesforce
		config.Lifecycle
	}
	if err := s.load(&env); err != nil {
		return nil, err
	}
	if env.Salesforce.BaseURL == "" {
		return nil, fmt.Errorf("this stack has no Salesforce: SALESFORCE_BASE_URL is empty")
	}
	c, err := bootsalesforce.Client(s.patient(), env.Salesforce)
	return &org{client: c, Salesforce: env.Salesforce, omni: env.Lifecycle.Omni, api: strings.TrimSuffix(apiURL, "/")}, err
}

func (o *org) explain(err error) error {
	if upstream.CredentialsRefused(err) {
		return fmt.Errorf("%w\nSalesforce refuses the credentials of secret %s: is the flow switched on in the External Client App, and does it run as an active user? (docs/salesforce.md)", err, o.Secret)
	}
	var e *upstream.Error
	if errors.As(err, &e) && e.Status == 410 {
		return fmt.Errorf("%w\nAPI version %s is retired: set SALESFORCE_API_VERSION to a newer one", err, o.APIVersion)
	}
	return err
}

const deployPackage = "deploy clients/salesforce/force-app, and give the integration user the permission set Caseroom_Integration (docs/salesforce.md)"

func (o *org) status(ctx context.Context) (*orgStatus, error) {
	st := &orgStatus{
		Org: o.client.Host(), APIVersion: o.APIVersion, KeyField: o.KeyField, UserField: o.UserField, Omni: o.omni,
		PermissionSets: []string{}, Credentials: []orgCredential{}, Notes: []string{}, Problems: []converge.Problem{},
	}
	var err error
	if st.User, err = o.client.OwnUser(ctx); err != nil {
		return nil, err
	}
	for _, look := range []func(context.Context, *orgStatus) error{o.cases, o.transcripts, o.rights, o.callouts, o.agentWork} {
		if err := look(ctx, st); err != nil {
			return nil, err
		}
	}
	quota, err := o.client.APIRequests(ctx)
	if err != nil {
		return nil, err
	}
	st.Requests = orgRequests{Limit: quota.Max, Left: quota.Remaining}
	if st.Requests.Left*10 < st.Requests.Limit {
		st.wrong("look at what calls the org so often, or ask Salesforce for more", "%d of %d API calls of the day are left", st.Requests.Left, st.Requests.Limit)
	}
	return st, nil
}

// cases looks at Case and our fields on it.
func (o *org) cases(ctx context.Context, st *orgStatus) error {
	object, err := o.client.Describe(ctx, "Case")
	if salesforce.NoObject(err) {
		st.wrong("give the integration user the permission set Caseroom_Integration", "the integration user may not see cases")
		return nil
	}
	if err != nil {
		return err
	}
	if !object.Createable {
		st.wrong("give the integration user the permission set Caseroom_Integration", "the integration user may not create cases")
	}
	for _, name := range []string{"Subject", "Description", "SuppliedName", "SuppliedEmail"} {
		if f, ok := object.Field(name); !ok || !f.Createable {
			st.wrong("make the field editable for the integration user: Caseroom_Integration does", "the integration user may not write Case.%s", name)
		}
	}
	if o.KeyField == "" || o.UserField == "" {
		st.note("SALESFORCE_KEY_FIELD or SALESFORCE_USER_FIELD is empty: the stack works without the package. A repeated request may open a second case, and rooms follow calls of joingroup and leavegroup alone")
	}
	for _, name := range []string{o.KeyField, o.UserField} {
		if name == "" {
			continue
		}
		f, ok := object.Field(name)
		switch {
		case !ok:
			st.wrong(deployPackage, "Case has no field %s, or the integration user may not read it", name)
		case !f.Createable:
			st.wrong("give the integration user the permission set Caseroom_Integration", "the integration user may not write Case.%s", name)
		}
		if ok && name == o.KeyField && !(f.Unique && f.ExternalID && f.CaseSensitive && f.Length >= 26) {
			st.wrong("make it a text of 26 characters or more: external id, unique, case-sensitive", "Case.%s cannot keep a request from opening two cases", name)
		}
		if ok && name == o.UserField && f.Length < 32 {
			st.wrong("make it 64 characters long", "Case.%s is too short for an IM user id", name)
		}
	}
	return nil
}

// transcripts looks at the object that takes them.
func (o *org) transcripts(ctx context.Context, st *orgStatus) error {
	object, err := o.client.Describe(ctx, "Caseroom_Transcript__c")
	if salesforce.NoObject(err) {
		if o.KeyField == "" {
			st.note("there is no Caseroom_Transcript__c: transcripts become unpublished case comments")
			return nil
		}
		st.wrong(deployPackage+"; until then transcripts become unpublished case comments", "there is no object Caseroom_Transcript__c, or the integration user may not see it")
		return nil
	}
	if err != nil {
		return err
	}
	st.Transcripts = true
	if !object.Createable || !object.Updateable {
		st.wrong("give the integration user the permission set Caseroom_Integration", "the integration user may not write transcripts")
	}
	for _, name := range []string{"Caseroom_Name__c", "Caseroom_Start__c", "Caseroom_Case__c", "Caseroom_Body__c"} {
		if f, ok := object.Field(name); !ok || !f.Createable {
			st.wrong(deployPackage, "Caseroom_Transcript__c.%s is missing, or the integration user may not write it", name)
		}
	}
	if f, ok := object.Field("Caseroom_Name__c"); ok && !(f.Unique && f.ExternalID && f.CaseSensitive) {
		st.wrong("make it an external id, unique, case-sensitive", "Caseroom_Transcript__c.Caseroom_Name__c cannot keep a part from being filed twice")
	}
	if f, ok := object.Field("Caseroom_Start__c"); ok && !(f.Unique && f.CaseSensitive) {
		st.wrong("make it unique, case-sensitive", "Caseroom_Transcript__c.Caseroom_Start__c cannot keep two writers from filing a message each")
	}
	return nil
}

// rights looks at the integration user's permission sets.
func (o *org) rights(ctx context.Context, st *orgStatus) error {
	if st.User == "" {
		st.note("the login does not say whom the stack signs in as: its permission sets are not looked at")
		return nil
	}
	sets, err := o.client.PermissionSets(ctx, st.User)
	if salesforce.NoObject(err) {
		st.note("the integration user may not see its permission sets")
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Values(sets)) {
		if strings.HasPrefix(name, "Caseroom_") {
			st.PermissionSets = append(st.PermissionSets, name)
		}
	}
	all, err := o.client.ViewsAllCases(ctx, slices.Sorted(maps.Keys(sets)))
	if salesforce.NoObject(err) {
		st.note("the integration user may not see what its permission sets grant")
		return nil
	}
	if err != nil {
		return err
	}
	st.ViewsAllCases = &all
	if !all {
		st.wrong("give the integration user the permission set Caseroom_Integration, or View All on Case", "no permission set lets the integration user see all cases: one that moves to somebody it may not see looks deleted")
	}
	return nil
}

// callouts looks at what the org calls the stack with.
func (o *org) callouts(ctx context.Context, st *orgStatus) error {
	list, err := o.client.NamedCredentials(ctx)
	switch {
	case salesforce.NoObject(err):
		st.note("the integration user may not see named credentials, which takes View Setup: look at Setup → Named Credentials yourself")
	case err != nil:
		return err
	case len(list) == 0:
		st.note("no named credential Caseroom or Caseroom_IAM can be seen: where the package is deployed, it is missing or hidden from this user")
	}
	right := false
	for _, c := range list {
		st.Credentials = append(st.Credentials, orgCredential{c.DeveloperName, c.Endpoint})
		want := o.api
		if c.DeveloperName == "Caseroom_IAM" {
			want += "/iam"
		}
		right = right || c.Endpoint == "" || o.api == "" || strings.TrimSuffix(c.Endpoint, "/") == want
	}
	if len(list) > 0 && !right {
		st.wrong("set its URL to the stack's API, with /iam behind it for Caseroom_IAM", "the named credential leads elsewhere: %s", list[0].Endpoint)
	}
	settings, err := o.client.PackageSettings(ctx)
	switch {
	case salesforce.NoObject(err), err == nil && len(settings) == 0:
		st.note("the package's settings cannot be seen")
		return nil
	case err != nil:
		return err
	}
	st.Enabled = &settings[0].Enabled
	if !settings[0].Enabled {
		st.wrong("switch Caseroom_Enabled__c on in the custom metadata Caseroom Settings", "the package is switched off: the org tells of no change, and reconcile alone finds them")
	}
	return nil
}

// agentWork looks at Omni-Channel, if the stack follows it.
func (o *org) agentWork(ctx context.Context, st *orgStatus) error {
	_, err := o.client.Describe(ctx, "AgentWork")
	switch {
	case err == nil && !o.omni:
		st.note("the org has Omni-Channel. With Omni=on an agent who opened the work is in the room too")
	case salesforce.NoObject(err) && o.omni:
		st.wrong("switch Omni-Channel on in the org and let the integration user read AgentWork, or set Omni=off", "Omni is on, and there is no AgentWork that the integration user may see")
	case !salesforce.NoObject(err):
		return err
	}
	return nil
}

func (st *orgStatus) print(w io.Writer) {
	fmt.Fprintf(w, "%s, API %s, as user %s\n", st.Org, st.APIVersion, st.User)
	if len(st.PermissionSets) > 0 {
		fmt.Fprintf(w, "permission sets: %s\n", strings.Join(st.PermissionSets, ", "))
	}
	for _, c := range st.Credentials {
		fmt.Fprintf(w, "named credential %s: %s\n", c.Name, c.Endpoint)
	}
	fmt.Fprintf(w, "API calls: %d of %d left today\n", st.Requests.Left, st.Requests.Limit)
	for _, n := range st.Notes {
		fmt.Fprintf(w, "note: %s\n", n)
	}
	printProblems(w, st.Problems)
}
