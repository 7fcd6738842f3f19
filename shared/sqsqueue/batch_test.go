package sqsqueue_test

import (
	"context"
	"crypto/md5" // the checksum SQS answers with
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/awsenv"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/sqsqueue"
	"github.com/caseroom/caseroom/shared/upstream"
)

type batchEntry struct {
	ID    string `json:"Id"`
	Body  string `json:"MessageBody"`
	Group string `json:"MessageGroupId"`
	Dedup string `json:"MessageDeduplicationId"`
}

type batchFailure struct {
	ID          string `json:"Id"`
	Code        string
	Message     string
	SenderFault bool
}

// batchWire is SQS as far as SendMessageBatch goes. fail says what becomes of
// an entry that arrives for the nth time: a failure, "silent", or nothing.
type batchWire struct {
	mu       sync.Mutex
	sizes    []int
	seen     map[string]int // by ticket
	dedup    map[string]string
	accepted map[string]string // ticket by deduplication id
	fail     func(ticket string, time int) (*batchFailure, bool)
	whole    func(http.ResponseWriter) // answers every call, if set
}

func (q *batchWire) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		QueueURL string `json:"QueueUrl"`
		Entries  []batchEntry
	}
	ids := map[string]bool{}
	bad := r.Header.Get("X-Amz-Target") != "AmazonSQS.SendMessageBatch" || json.NewDecoder(r.Body).Decode(&in) != nil || in.QueueURL != queueURL
	for _, e := range in.Entries {
		bad = bad || ids[e.ID] || !legal(e.Group) || !legal(e.Dedup)
		ids[e.ID] = true
	}
	if bad || len(in.Entries) == 0 || len(in.Entries) > 10 {
		refuse(w, 400, "com.amazonaws.sqs#InvalidParameterValue", "")
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sizes = append(q.sizes, len(in.Entries))
	if q.whole != nil {
		q.whole(w)
		return
	}
	if q.seen == nil {
		q.seen, q.dedup, q.accepted = map[string]int{}, map[string]string{}, map[string]string{}
	}
	good, failed := []map[string]string{}, []*batchFailure{}
	for _, e := range in.Entries {
		_, ticket, _ := strings.Cut(e.Group, ":")
		q.seen[ticket]++
		if before, ok := q.dedup[ticket]; ok && before != e.Dedup {
			q.dedup[ticket] = "changed"
		} else {
			q.dedup[ticket] = e.Dedup
		}
		if q.fail != nil {
			f, silent := q.fail(ticket, q.seen[ticket])
			if f != nil {
				f.ID = e.ID
				failed = append(failed, f)
			}
			if f != nil || silent {
				continue
			}
		}
		q.accepted[e.Dedup] = ticket
		sum := md5.Sum([]byte(e.Body))
		good = append(good, map[string]string{"Id": e.ID, "MessageId": "m", "MD5OfMessageBody": hex.EncodeToString(sum[:])})
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	_ = json.NewEncoder(w).Encode(map[string]any{"Successful": good, "Failed": failed})
}

func zendeskHints(n int) []relay.Hint {
	hints := make([]relay.Hint, n)
	for i := range hints {
		hints[i] = relay.Hint{Ref: relay.Ref{Desk: relay.Zendesk, Ticket: strconv.Itoa(i + 1)}}
	}
	return hints
}

func TestSendAll(t *testing.T) {
	for n, calls := range map[int]int{0: 0, 1: 1, 10: 1, 11: 2, 200: 20} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			server := &batchWire{}
			q := queueOn(t, server)
			if err := q.SendAll(t.Context(), zendeskHints(n)...); err != nil {
				t.Fatal(err)
			}
			server.mu.Lock()
			defer server.mu.Unlock()
			if len(server.sizes) != calls || len(server.accepted) != n {
				t.Errorf("%d calls %v took %d hints, want %d and %d", len(server.sizes), server.sizes, len(server.accepted), calls, n)
			}
			tickets := slices.Collect(maps.Values(server.accepted))
			slices.Sort(tickets)
			if len(slices.Compact(tickets)) != n {
				t.Error("a ticket is missing")
			}
		})
	}
}

func TestSendAllFailures(t *testing.T) {
	internal := func() *batchFailure { return &batchFailure{Code: "InternalError", Message: "canary-7f3a"} }
	tests := []struct {
		name  string
		fail  func(string, int) (*batchFailure, bool)
		class upstream.Class // "" for success
		code  string
		left  string
		tries int // of ticket 7
	}{
		{"once", func(ticket string, time int) (*batchFailure, bool) {
			if ticket == "7" && time == 1 {
				return internal(), false
			}
			return nil, false
		}, "", "", "", 2},
		{"always", func(ticket string, _ int) (*batchFailure, bool) {
			if ticket == "7" || ticket == "12" {
				return internal(), false
			}
			return nil, false
		}, upstream.Unavailable, "InternalError", "2 of 25", 3},
		{"throttled", func(ticket string, time int) (*batchFailure, bool) {
			if ticket == "7" && time < 3 {
				return &batchFailure{Code: "RequestThrottled", SenderFault: true}, false
			}
			return nil, false
		}, "", "", "", 3},
		{"our fault", func(ticket string, _ int) (*batchFailure, bool) {
			if ticket == "7" {
				return &batchFailure{Code: "InvalidMessageContents", SenderFault: true}, false
			}
			return nil, false
		}, upstream.Refused, "InvalidMessageContents", "1 of 25", 1},
		{"not mentioned", func(ticket string, time int) (*batchFailure, bool) {
			return nil, ticket == "7" && time == 1
		}, "", "", "", 2},
		{"never mentioned", func(ticket string, _ int) (*batchFailure, bool) {
			return nil, ticket == "7"
		}, upstream.Unknown, "", "1 of 25", 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := &batchWire{fail: tt.fail}
			err := queueOn(t, server).SendAll(t.Context(), zendeskHints(25)...)
			if tt.class == "" && err != nil {
				t.Fatal(err)
			}
			if tt.class != "" {
				var e *upstream.Error
				if !errors.As(err, &e) || e.Class != tt.class || e.Code != tt.code || !strings.Contains(err.Error(), tt.left) {
					t.Errorf("got %v, want %s, %s, %s", err, tt.class, tt.code, tt.left)
				}
				if strings.Contains(fmt.Sprint(err), "canary") {
					t.Errorf("the error tells SQS's prose: %v", err)
				}
			}
			server.mu.Lock()
			defer server.mu.Unlock()
			if server.seen["7"] != tt.tries || server.seen["1"] != 1 || server.seen["25"] != 1 {
				t.Errorf("tries: %v", server.seen)
			}
			if slices.Contains(slices.Collect(maps.Values(server.dedup)), "changed") {
				t.Error("a retry changed the deduplication id")
			}
		})
	}
}

func TestSendAllWholeCallFails(t *testing.T) {
	server := &batchWire{whole: func(w http.ResponseWriter) {
		refuse(w, 400, "com.amazon.coral.service#AccessDeniedException", "")
	}}
	err := queueOn(t, server).SendAll(t.Context(), zendeskHints(25)...)
	if !upstream.CredentialsRefused(err) || !strings.Contains(err.Error(), "25 of 25") || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := queueOn(t, &batchWire{}).SendAll(ctx, zendeskHints(25)...); upstream.ClassOf(err) != upstream.Unknown || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestSendAllSendsNothingBad(t *testing.T) {
	server := &batchWire{}
	q := queueOn(t, server)
	for _, h := range bad {
		err := q.SendAll(t.Context(), append(zendeskHints(12), h)...)
		if upstream.ClassOf(err) != upstream.Refused {
			t.Errorf("%+v: got %v", h, err)
		}
	}
	server.mu.Lock()
	defer server.mu.Unlock()
	if len(server.sizes) != 0 {
		t.Errorf("%d calls", len(server.sizes))
	}
}

// TestSendAllOnTheSandbox sends through the stand-in that checks signatures,
// limits and ids as SQS does.
func TestSendAllOnTheSandbox(t *testing.T) {
	box := sandbox.New(sandbox.Options{Queues: []sandbox.QueueConfig{{Name: "sync.fifo", FIFO: true, GroupDedup: true}}})
	s := httptest.NewServer(box.Handler())
	t.Cleanup(s.Close)
	f := box.Fixtures().AWS
	t.Setenv("AWS_REGION", f.Region)
	t.Setenv("AWS_ACCESS_KEY_ID", f.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", f.SecretAccessKey)
	t.Setenv("AWS_ENDPOINT_URL", s.URL+"/aws")
	cfg, err := awsenv.Config()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	q := sqsqueue.New[relay.Hint](sqs.NewFromConfig(cfg), s.URL+"/aws/"+f.AccountID+"/sync.fifo", func() string { n++; return strconv.Itoa(n) })
	if err := q.SendAll(t.Context(), zendeskHints(23)...); err != nil {
		t.Fatal(err)
	}
	state := box.State().AWS
	if len(state.Queues) != 1 || state.Queues[0].Visible != 23 {
		t.Errorf("queues: %+v", state.Queues)
	}
}
