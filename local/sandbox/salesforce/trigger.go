package salesforce

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caseroom/caseroom/local/sandbox/engine"
)

// Trigger is what caseroom's Apex does in an org: it posts the ids of
// cases that changed to URL, with Key as bearer. Without a URL there is no
// trigger.
type Trigger struct {
	URL string
	Key string
}

const (
	calloutTimeout = 20 * time.Second
	calloutTries   = 6 // the job and five more of its finalizer
	maxCases       = 200
)

// SetTrigger installs the trigger, or removes it when t has no URL.
func (o Org) SetTrigger(t Trigger) {
	o.with(func(f *org) {
		f.trigger = t
		setup := f.setup
		setup.Endpoint = strings.TrimSuffix(t.URL, "/salesforce/events")
		f.apply(setup)
	})
}

// fire queues a callout for a change that matters to a room: a case of ours
// made, deleted, undeleted, or given another owner or status; and routed work
// that is accepted, or no longer is.
// Cases that wait are named in one callout, as one job names a trigger's chunk.
func (f *org) fire(kind string, row *record, before map[string]any) {
	if f.trigger.URL == "" {
		return
	}
	item := row
	switch row.object.name {
	case "AgentWork":
		if (row.text("Status") == "Opened") == (before["Status"] == "Opened") {
			return // offered, declined
		}
		item = f.rows[row.text("WorkItemId")]
	case "Case":
		if kind == "update" && !slices.ContainsFunc(
			[]string{"OwnerId", "Status", "IsClosed", "Caseroom_Key__c", "Caseroom_User__c"},
			func(field string) bool { return before[field] != render(row.values[field]) },
		) {
			return
		}
	default:
		return
	}
	if item == nil || item.object.name != "Case" {
		return
	}
	if !f.noPackage && item.text("Caseroom_Key__c") == "" && item.text("Caseroom_User__c") == "" {
		return
	}
	f.callout(item.id())
}

func (f *org) callout(caseID string) {
	if f.FaultFree("salesforce", "callout") {
		for _, waiting := range f.Waiting("salesforce") {
			if len(waiting.Names) < maxCases {
				if !slices.Contains(waiting.Names, caseID) {
					waiting.Names = append(waiting.Names, caseID)
				}
				return
			}
		}
	}
	x := &engine.Notice{
		Vendor: "salesforce", Op: "callout", Timeout: calloutTimeout,
		Detail: map[string]string{}, Names: []string{caseID},
	}
	x.Build = func(ctx context.Context) *http.Request { return f.calloutRequest(ctx, x) }
	x.Again = func(sent int, o engine.Outcome) (time.Duration, bool) {
		// As CaseroomException.isRetryable: a rotated key takes minutes to be known.
		failed := o.Status >= 500 || slices.Contains([]int{0, 401, 403, 408, 429}, o.Status)
		return min(time.Minute<<(sent-1), 10*time.Minute), failed && sent < calloutTries
	}
	f.Notify(x)
}

func (f *org) calloutRequest(ctx context.Context, x *engine.Notice) *http.Request {
	if f.trigger.URL == "" {
		return nil
	}
	body, err := json.Marshal(map[string]any{"cases": x.Names})
	if err != nil {
		return nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.trigger.URL, bytes.NewReader(body))
	if err != nil {
		return nil
	}
	x.Detail["cases"] = strconv.Itoa(len(x.Names))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "SFDC-Callout/68.0")
	req.Header.Set("Authorization", "Bearer "+f.trigger.Key)
	return req
}
