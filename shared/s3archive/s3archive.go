// Package s3archive is relay's archive in an S3 bucket: transcripts that no
// ticket can take, each written once.
package s3archive

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/caseroom/caseroom/shared/awsenv"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/upstream"
)

const (
	vendor  = "s3"
	timeout = 10 * time.Second // of one call, the SDK's own retries included
)

// API is the calls that are made.
// See https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html and
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html.
type API interface {
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
}

// Archive is a bucket. It is safe for concurrent use.
type Archive struct {
	client API
	bucket string
}

var _ relay.Archive = (*Archive)(nil)

// New returns the archive in a bucket.
func New(cfg aws.Config, bucket string) *Archive {
	return &Archive{bucket: bucket, client: s3.NewFromConfig(cfg, func(o *s3.Options) {
		// An endpoint of its own is no amazonaws.com to put the bucket's name before.
		o.UsePathStyle = cfg.BaseEndpoint != nil
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired // one byte is read
	})}
}

// part is the metadata that holds a part's name, which is plain ASCII.
const part = "part"

// Find returns the name of the part that key holds, "" if it holds none. It
// needs s3:ListBucket: without it S3 answers 403 for a key that is not there.
// A HEAD would do, but its errors have no body and so no code: a missing bucket
// would look like a missing key, and a clock that is wrong like wrong credentials.
func (a *Archive) Find(ctx context.Context, key string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	out, err := a.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &a.bucket, Key: &key, Range: aws.String("bytes=0-0")})
	if awsenv.ErrorCode(err) == "NoSuchKey" {
		return "", nil
	}
	if err != nil {
		return "", classify(ctx, "GetObject", err)
	}
	_ = out.Body.Close()
	if aws.ToString(out.ETag) == "" && out.Metadata[part] == "" {
		return "", unreadable("GetObject")
	}
	return out.Metadata[part], nil
}

// Put writes a part unless key holds one, and returns the name of the part that
// it then holds. An unknown outcome is looked up: whoever wrote the part, it is
// written once.
func (a *Archive) Put(ctx context.Context, key string, p relay.Part) (string, error) {
	put, cancel := upstream.WithShare(ctx, 60)
	defer cancel()
	put, stop := context.WithTimeout(put, timeout)
	defer stop()
	out, err := a.client.PutObject(put, &s3.PutObjectInput{
		Bucket: &a.bucket, Key: &key, Body: strings.NewReader(p.Body), IfNoneMatch: aws.String("*"),
		ContentType: aws.String("text/plain; charset=utf-8"), Metadata: map[string]string{part: p.Name},
	})
	var failed *upstream.Error
	switch {
	case err != nil:
		failed = classify(put, "PutObject", err)
	case aws.ToString(out.ETag) == "":
		failed = unreadable("PutObject")
	default:
		return p.Name, nil
	}
	if status(err) != http.StatusPreconditionFailed && !failed.OutcomeUnknown() {
		return "", failed
	}
	name, ferr := a.Find(ctx, key)
	if ferr != nil || name == "" {
		return "", failed
	}
	return name, nil
}

func status(err error) int {
	var answered *smithyhttp.ResponseError
	if errors.As(err, &answered) && answered.Response != nil {
		return answered.HTTPStatusCode()
	}
	return 0
}

// unreadable is a 200 that does not come from S3, whose answers about an object
// always carry its entity tag; the SDK does not look at what else they hold.
func unreadable(op string) *upstream.Error {
	return &upstream.Error{Vendor: vendor, Op: op, Status: http.StatusOK, Class: upstream.Unknown, Err: errors.New("no usable answer")}
}

// classify tells what became of a call. The SDK's own text is dropped: it holds
// the endpoint's URL and the service's prose.
func classify(ctx context.Context, op string, err error) *upstream.Error {
	e := &upstream.Error{Vendor: vendor, Op: op, Status: status(err), Code: awsenv.ErrorCode(err)}
	switch {
	case e.Status == http.StatusForbidden || e.Code == "NoCredentials":
		e.Class, e.Credentials = upstream.Refused, true
	case e.Code == "NoSuchBucket":
		e.Class, e.Credentials = upstream.Refused, true
	case e.Status == http.StatusConflict: // another write of the key is under way
		e.Class = upstream.Unknown
	case e.Code == "SlowDown":
		e.Class = upstream.RateLimited
	case e.Status != 0 && e.Code == "" && upstream.StatusClass(e.Status) == upstream.Refused:
		e.Class, e.Err = upstream.Unknown, errors.New("no usable answer")
	case e.Status != 0:
		e.Class = upstream.StatusClass(e.Status)
	case ctx.Err() != nil:
		e.Class, e.Err = upstream.Unknown, ctx.Err()
	default:
		e.Class, e.Err = upstream.Unknown, errors.New("no usable answer")
	}
	return e
}
