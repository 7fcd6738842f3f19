package s3archive_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/s3archive"
	"github.com/caseroom/caseroom/shared/upstream"
)

const key = "transcripts/zendesk/1/1790000000/000000000001.txt"

func open(t *testing.T, bucket string) (*s3archive.Archive, *sandbox.Sandbox) {
	t.Helper()
	box := sandbox.New(sandbox.Options{Seed: 1, Buckets: []string{"transcripts"}})
	server := httptest.NewServer(box.Handler())
	t.Cleanup(server.Close)
	fix := box.Fixtures().AWS
	return s3archive.New(aws.Config{
		Region: fix.Region, BaseEndpoint: aws.String(server.URL + "/aws"), HTTPClient: http.DefaultClient,
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts = 2
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			})
		},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: fix.AccessKeyID, SecretAccessKey: fix.SecretAccessKey}, nil
		}),
	}, bucket), box
}

func TestArchiveWritesOnce(t *testing.T) {
	t.Parallel()
	a, box := open(t, "transcripts")
	ctx := context.Background()
	if name, err := a.Find(ctx, key); name != "" || err != nil {
		t.Fatalf("an empty key holds %q, %v", name, err)
	}
	first := relay.Part{Name: "ZENDESK#1@1790000000:1-20", Body: "first, ü"}
	for _, p := range []relay.Part{first, {Name: "ZENDESK#1@1790000000:1-25", Body: "second"}} {
		if name, err := a.Put(ctx, key, p); name != first.Name || err != nil {
			t.Errorf("Put(%q) = %q, %v", p.Name, name, err)
		}
	}
	if name, err := a.Find(ctx, key); name != first.Name || err != nil {
		t.Errorf("Find = %q, %v", name, err)
	}
	if body, _ := box.Object("transcripts", key); string(body) != first.Body {
		t.Errorf("the archive holds %q", body)
	}
}

func TestArchiveFaults(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fault   sandbox.Fault
		written bool // and known to be
		class   upstream.Class
		creds   bool
	}{
		"done, then cut off":   {sandbox.Fault{Kind: sandbox.FaultResetAfter, Times: 1}, true, "", false},
		"cut off before":       {sandbox.Fault{Kind: sandbox.FaultResetBefore, Times: 1}, true, "", false},
		"no connection at all": {sandbox.Fault{Kind: sandbox.FaultResetBefore}, false, upstream.Unknown, false},
		"refused credentials":  {sandbox.Fault{Kind: sandbox.FaultStatus, Status: 403}, false, upstream.Refused, true},
		"slow down":            {sandbox.Fault{Kind: sandbox.FaultStatus, Status: 503, Times: 9}, false, upstream.Unavailable, false},
		"somebody else's page": {sandbox.Fault{Kind: sandbox.FaultHTML}, false, upstream.Unknown, false},
		"another write":        {sandbox.Fault{Kind: sandbox.FaultStatus, Status: 409, Times: 9}, false, upstream.Unknown, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, box := open(t, "transcripts")
			tt.fault.Vendor, tt.fault.Op = "aws", "PutObject"
			if err := box.AddFault(tt.fault); err != nil {
				t.Fatal(err)
			}
			got, err := a.Put(context.Background(), key, relay.Part{Name: "n", Body: "b"})
			if tt.written {
				if got != "n" || err != nil {
					t.Errorf("Put = %q, %v", got, err)
				}
				return
			}
			var e *upstream.Error
			if !errors.As(err, &e) || e.Class != tt.class || e.Credentials != tt.creds {
				t.Errorf("Put = %q, %v", got, err)
			}
			if err != nil && strings.Contains(err.Error(), "http") {
				t.Errorf("a URL in %q", err)
			}
		})
	}
}

func TestArchiveReadsNoPage(t *testing.T) {
	t.Parallel()
	a, box := open(t, "transcripts")
	if err := box.AddFault(sandbox.Fault{Vendor: "aws", Op: "GetObject", Kind: sandbox.FaultHTML}); err != nil {
		t.Fatal(err)
	}
	name, err := a.Find(context.Background(), key)
	if upstream.ClassOf(err) != upstream.Unknown || err == nil {
		t.Errorf("Find = %q, %v", name, err)
	}
}

func TestArchiveWithoutABucket(t *testing.T) {
	t.Parallel()
	a, _ := open(t, "nowhere")
	_, err := a.Find(context.Background(), key)
	var e *upstream.Error
	if !errors.As(err, &e) || e.Code != "NoSuchBucket" || !e.Credentials {
		t.Errorf("Find = %v", err)
	}
}
