package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
)

// deployed is an account in which the operator's stack is deployed: the parts of
// CloudFormation and Lambda that the command asks, and the sandbox for the rest.
type deployed struct {
	*operator
	concurrency int            // of the account
	mappings    map[string]int // a queue's MaximumConcurrency, by the function's name; "" for refused
}

func (d *deployed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	reply := func(v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	name, isFunction := strings.CutPrefix(r.URL.Path, "/2015-03-31/functions/")
	switch {
	case form.Get("Action") == "DescribeStacks":
		fmt.Fprintf(w, `<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult><Stacks><member>
			<StackName>caseroom</StackName><Outputs><member><OutputKey>ApiUrl</OutputKey><OutputValue>%s</OutputValue></member></Outputs>
			</member></Stacks></DescribeStacksResult></DescribeStacksResponse>`, d.ready.Gateway)
	case form.Get("Action") == "ListStackResources":
		fmt.Fprint(w, `<ListStackResourcesResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><ListStackResourcesResult><StackResourceSummaries>`)
		for name := range d.mappings {
			fmt.Fprintf(w, `<member><LogicalResourceId>%[1]s</LogicalResourceId><PhysicalResourceId>caseroom-%[1]s-1</PhysicalResourceId>
				<ResourceType>AWS::Lambda::Function</ResourceType><ResourceStatus>CREATE_COMPLETE</ResourceStatus></member>`, name)
		}
		fmt.Fprint(w, `<member><LogicalResourceId>Monitoring</LogicalResourceId><PhysicalResourceId>arn:aws:cloudformation:…</PhysicalResourceId>
			<ResourceType>AWS::CloudFormation::Stack</ResourceType><ResourceStatus>CREATE_COMPLETE</ResourceStatus></member>
			</StackResourceSummaries></ListStackResourcesResult></ListStackResourcesResponse>`)
	case isFunction && strings.HasSuffix(name, "/configuration"):
		env := maps.Clone(d.parts.stack.Env)
		maps.DeleteFunc(env, func(name, _ string) bool { return strings.HasPrefix(name, "AWS_") })
		reply(map[string]any{"FunctionName": strings.TrimSuffix(name, "/configuration"), "Environment": map[string]any{"Variables": env}})
	case strings.HasPrefix(r.URL.Path, "/2016-08-19/account-settings"):
		if d.concurrency == 0 {
			w.Header().Set("X-Amzn-Errortype", "AccessDeniedException")
			w.WriteHeader(http.StatusForbidden)
			return
		}
		reply(map[string]any{"AccountLimit": map[string]int{"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": d.concurrency}})
	case strings.HasPrefix(r.URL.Path, "/2015-03-31/event-source-mappings"):
		name := strings.TrimSuffix(strings.TrimPrefix(r.URL.Query().Get("FunctionName"), "caseroom-"), "-1")
		var list []any
		if n := d.mappings[name]; n > 0 {
			list = append(list, map[string]any{"UUID": "u", "ScalingConfig": map[string]int{"MaximumConcurrency": n}})
		}
		reply(map[string]any{"EventSourceMappings": list})
	default:
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		box, _ := url.Parse(*d.parts.stack.AWS.BaseEndpoint)
		httputil.NewSingleHostReverseProxy(box).ServeHTTP(w, r)
	}
}

// TestDoctorConcurrency looks at a deployed stack: what its queues may take of
// the account's concurrency must leave some to the API.
func TestDoctorConcurrency(t *testing.T) {
	d := &deployed{operator: newOperator(t)}
	account := httptest.NewServer(d)
	defer account.Close()
	key, err := d.parts.stack.AWS.Credentials.Retrieve(t.Context())
	d.must(err)
	t.Setenv("AWS_ENDPOINT_URL", account.URL)
	t.Setenv("AWS_REGION", d.parts.stack.AWS.Region)
	t.Setenv("AWS_ACCESS_KEY_ID", key.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", key.SecretAccessKey)
	for _, c := range []struct {
		name        string
		concurrency int
		sync        int
		finding     string
	}{
		{"a grown account", 1000, 10, ""},
		{"just enough", 27, 10, ""},
		{"a new account", 10, 10, "10 functions at once, and this stack's queues take 17"},
		{"more for Sync than there is", 100, 100, "take 107"},
		{"may not look", 0, 10, "AccessDenied"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d.concurrency = c.concurrency
			d.mappings = map[string]int{"SyncFunction": c.sync, "ReconcileFunction": 2, "SweepFunction": 3, "CalendarSyncFunction": 2, "UserSigFunction": 0}
			r := d.runIn(t.Context(), "", "doctor", "--stack", "caseroom", "--json")
			var report doctorReport
			if err := json.Unmarshal([]byte(r.out), &report); err != nil {
				t.Fatalf("%v: %s%s", err, r.out, r.err)
			}
			seen := false
			for _, x := range report.Checks {
				if x.ID != "quota.concurrency" {
					continue
				}
				seen = true
				if (x.State == checkFinding) != (c.finding != "") || !strings.Contains(x.Detail, c.finding) || (x.Do == "") != (c.finding == "") {
					t.Errorf("%+v", x)
				}
			}
			if !seen {
				t.Errorf("not looked at: %+v", report.Checks)
			}
		})
	}
}
