// Command bare is a function that makes the upstream calls of caseroom's
// operations and does nothing else: net/http, hand-written JSON types, no SDK,
// no authentication of its caller, no retry, no log. It is what the CPU time of
// the functions is compared with.
package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

var (
	zendesk         = os.Getenv("BARE_ZENDESK")
	zendeskAuth     = os.Getenv("BARE_ZENDESK_AUTH")
	salesforce      = os.Getenv("BARE_SALESFORCE")
	salesforceAuth  = os.Getenv("BARE_SALESFORCE_AUTH")
	tencent         = os.Getenv("BARE_TENCENT")
	tencentQuery    = os.Getenv("BARE_TENCENT_QUERY")
	zopim           = os.Getenv("BARE_ZOPIM")
	zopimAuth       = os.Getenv("BARE_ZOPIM_AUTH")
	awsURL          = os.Getenv("AWS_ENDPOINT_URL") + "/"
	queueURL        = os.Getenv("SYNC_QUEUE_URL")
	region          = os.Getenv("AWS_REGION")
	accessKeyID     = os.Getenv("AWS_ACCESS_KEY_ID")
	secretAccessKey = os.Getenv("AWS_SECRET_ACCESS_KEY")
)

var client = &http.Client{Timeout: 5 * time.Second}

func main() { lambda.Start(handle) }

type request struct {
	UserID   string   `json:"userId"`
	GroupID  string   `json:"groupId"`
	CaseInfo caseInfo `json:"caseInfo"`
}

type caseInfo struct {
	Subject string `json:"subject"`
	Desc    string `json:"desc"`
	Name    string `json:"name"`
	Email   string `json:"email"`
}

func handle(ctx context.Context, e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	var in request
	if e.Body != "" {
		if err := json.Unmarshal([]byte(e.Body), &in); err != nil {
			return events.APIGatewayV2HTTPResponse{}, err
		}
	}
	out, err := operate(ctx, e, in)
	if err != nil {
		return events.APIGatewayV2HTTPResponse{}, err
	}
	body, err := json.Marshal(out)
	return events.APIGatewayV2HTTPResponse{
		StatusCode: http.StatusOK, Headers: map[string]string{"content-type": "application/json"}, Body: string(body),
	}, err
}

func operate(ctx context.Context, e events.APIGatewayV2HTTPRequest, in request) (any, error) {
	type member struct{ Member_Account string }
	switch e.RawPath {
	case "/zendesk/createticket":
		return open(ctx, in, "ZENDESK#", zendeskTicket)
	case "/salesforce/createticket":
		return open(ctx, in, "", salesforceCase)
	case "/joingroup":
		return together(func() error {
			return im(ctx, "group_open_http_svc/add_group_member", map[string]any{
				"GroupId": in.GroupID, "MemberList": []member{{in.UserID}},
			})
		}, func() error { return enqueue(ctx, "salesforce", in.GroupID) })
	case "/leavegroup":
		return together(func() error {
			return im(ctx, "group_open_http_svc/delete_group_member", map[string]any{
				"GroupId": in.GroupID, "MemberToDel_Account": []string{in.UserID},
			})
		}, func() error { return enqueue(ctx, "salesforce", in.GroupID) })
	case "/visitor":
		var v json.RawMessage
		id := e.QueryStringParameters["id"]
		return &v, call(ctx, http.MethodGet, zopim+"/api/v2/chat/visitors/"+url.PathEscape(id), zopimAuth, nil, &v)
	}
	return nil, fmt.Errorf("no route %s", e.RawPath)
}

// open makes the ticket beside the account, then the room beside the message.
func open(ctx context.Context, in request, prefix string, ticket func(context.Context, caseInfo) (string, error)) (any, error) {
	var id string
	_, err := together(func() (err error) {
		id, err = ticket(ctx, in.CaseInfo)
		return err
	}, func() error {
		return im(ctx, "im_open_login_svc/account_import", map[string]any{"UserID": in.UserID, "Nick": in.CaseInfo.Name})
	})
	if err != nil {
		return nil, err
	}
	desk := "salesforce"
	if prefix != "" {
		desk = "zendesk"
	}
	_, err = together(func() error {
		return im(ctx, "group_open_http_svc/create_group", map[string]any{
			"GroupId": prefix + id, "Type": "Public", "Name": in.CaseInfo.Subject, "ApplyJoinOption": "DisableApply",
			"MemberList": []map[string]string{{"Member_Account": in.UserID}},
		})
	}, func() error { return enqueue(ctx, desk, id) })
	return map[string]string{"GroupId": prefix + id}, err
}

func together(a, b func() error) (any, error) {
	done := make(chan error, 1)
	go func() { done <- b() }()
	err := a()
	if other := <-done; err == nil {
		err = other
	}
	return struct{}{}, err
}

func zendeskTicket(ctx context.Context, c caseInfo) (string, error) {
	var out struct {
		Ticket struct {
			ID int64 `json:"id"`
		} `json:"ticket"`
	}
	err := call(ctx, http.MethodPost, zendesk+"/api/v2/tickets", zendeskAuth, map[string]any{"ticket": map[string]any{
		"subject": c.Subject, "comment": map[string]string{"body": c.Desc},
		"requester": map[string]string{"name": c.Name, "email": c.Email},
	}}, &out)
	return strconv.FormatInt(out.Ticket.ID, 10), err
}

func salesforceCase(ctx context.Context, c caseInfo) (string, error) {
	var out struct {
		ID string `json:"id"`
	}
	err := call(ctx, http.MethodPost, salesforce+"/services/data/v64.0/sobjects/Case", salesforceAuth, map[string]string{
		"Subject": c.Subject, "Description": c.Desc, "SuppliedName": c.Name, "SuppliedEmail": c.Email,
	}, &out)
	return out.ID, err
}

func im(ctx context.Context, command string, in any) error {
	var out struct{ ErrorCode int }
	err := call(ctx, http.MethodPost, tencent+"/v4/"+command+"?"+tencentQuery, "", in, &out)
	if err == nil && out.ErrorCode != 0 {
		err = fmt.Errorf("%s: %d", command, out.ErrorCode)
	}
	return err
}

func call(ctx context.Context, method, target, auth string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if auth != "" {
		req.Header.Set("Authorization", auth)
	}
	return do(req, out)
}

func do(req *http.Request, out any) error {
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s: %d %s", req.URL.Path, res.StatusCode, answer)
	}
	return json.Unmarshal(answer, out)
}

// enqueue is SQS SendMessage with Signature Version 4 by hand. See
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
func enqueue(ctx context.Context, desk, ticket string) error {
	now := time.Now().UTC()
	body, err := json.Marshal(map[string]string{
		"QueueUrl": queueURL, "MessageGroupId": desk + ":" + ticket,
		"MessageDeduplicationId": strconv.FormatInt(now.UnixNano(), 36),
		"MessageBody":            `{"v":1,"desk":"` + desk + `","ticket":"` + ticket + `","hint":""}`,
	})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, awsURL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	const mediaType, target = "application/x-amz-json-1.0", "AmazonSQS.SendMessage"
	stamp := now.Format("20060102T150405Z")
	scope := stamp[:8] + "/" + region + "/sqs/aws4_request"
	const signed = "content-type;host;x-amz-date;x-amz-target"
	canonical := "POST\n" + req.URL.Path + "\n\ncontent-type:" + mediaType + "\nhost:" + req.URL.Host +
		"\nx-amz-date:" + stamp + "\nx-amz-target:" + target + "\n\n" + signed + "\n" + digest(body)
	key := []byte("AWS4" + secretAccessKey)
	for _, part := range []string{stamp[:8], region, "sqs", "aws4_request"} {
		key = mac(key, part)
	}
	signature := mac(key, "AWS4-HMAC-SHA256\n"+stamp+"\n"+scope+"\n"+digest([]byte(canonical)))
	req.Header.Set("Content-Type", mediaType)
	req.Header.Set("X-Amz-Date", stamp)
	req.Header.Set("X-Amz-Target", target)
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+accessKeyID+"/"+scope+", SignedHeaders="+signed+
		", Signature="+hex.EncodeToString(signature))
	var out struct{ MessageId string }
	return do(req, &out)
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write([]byte(text))
	return h.Sum(nil)
}
