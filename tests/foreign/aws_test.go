package foreign

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/uuid"

	"github.com/caseroom/caseroom/local/lambdahost"
	"github.com/caseroom/caseroom/local/logintest"
	"github.com/caseroom/caseroom/local/sandbox"
)

const (
	region  = "eu-central-1"
	account = "000000000000"
	issuer  = "https://login.example.com"
)

// deployed is what moto_stack.py made of the template.
type deployed struct {
	URL       string
	Functions map[string]map[string]any // environments by logical id
	Mappings  []struct {
		Function, Queue string
		Batch           int
		Partial         bool
	}
	Queues    map[string]string // URLs by name
	Schedules []string
	Alarms    int
}

// parameters are those of a stack whose vendors are at an address.
func parameters(vendors string) map[string]string {
	return map[string]string{
		"ZendeskBaseUrl": vendors + "/zendesk", "SalesforceBaseUrl": vendors + "/salesforce", "TencentBaseUrl": vendors + "/tencent", "ZopimBaseUrl": vendors + "/zopim",
		"LoginIssuer": issuer, "LoginAudience": "caseroom", "Guests": "on",
		"ThrottleRate": "100000", "ThrottleBurst": "100000", "GuestThrottleRate": "100000", "GuestThrottleBurst": "100000",
		"GuestRate": "0", "GuestRatePerAddress": "0", "TicketRatePerPerson": "0",
	}
}

// The functions live on moto, and with their queues on ElasticMQ.
func TestAWS(t *testing.T) {
	var moto deployed
	template, binaries := loadTemplate(t), functions(t)
	with := parameters("http://127.0.0.1:3100")
	serverProcess(t, exec.Command(python("python"), append([]string{"moto_stack.py", filepath.Join(root, "template.yaml")}, arguments(with)...)...), &moto)
	stack, err := template.Resolve(lambdahost.ResolveOptions{Region: region, AccountID: account, Parameters: with})
	must(t, err)
	sameAsMoto(t, stack, moto)
	for id, value := range sandbox.New(sandbox.Options{Seed: 1}).Fixtures().Secrets {
		_, err := secretsmanager.NewFromConfig(config(moto.URL)).CreateSecret(context.Background(), &secretsmanager.CreateSecretInput{Name: &id, SecretString: aws.String(string(value))})
		must(t, err)
	}
	t.Run("moto", func(t *testing.T) { newAmazon(t, moto, template, binaries, moto.URL).lifecycle() })
	t.Run("ElasticMQ", func(t *testing.T) { newAmazon(t, moto, template, binaries, elasticMQ(t, stack)).lifecycle() })
}

// amazon is caseroom on an AWS of somebody else, with the sandbox's vendors.
type amazon struct {
	t     *testing.T
	moto  deployed
	box   *sandbox.Sandbox
	fix   sandbox.Fixtures
	host  *lambdahost.Host
	front string // where the functions find AWS
	url   string // of the gateway
	log   journal

	bucket string
	loseS3 atomic.Int32 // so many answers to a PUT are lost
	puts   atomic.Int32
	ahead  atomic.Int64 // of the vendors' clock, in nanoseconds
}

// newAmazon starts the functions, with their queues at an address of their own.
func newAmazon(t *testing.T, moto deployed, template *lambdahost.Template, binaries, queues string) *amazon {
	a := &amazon{t: t, moto: moto, bucket: fmt.Sprint(moto.Functions["SyncFunction"]["TRANSCRIPT_BUCKET"])}
	a.box = sandbox.New(sandbox.Options{Seed: 1, Now: func() time.Time { return time.Now().Add(time.Duration(a.ahead.Load())) }})
	t.Cleanup(a.box.Close)
	a.fix = a.box.Fixtures()
	boxLn, boxURL := listen(t)
	serve(t, boxLn, a.box.Handler())
	frontLn, front := listen(t)
	a.front = front
	serve(t, frontLn, a.route(moto.URL, queues))
	a.start(template, binaries, boxURL)
	return a
}

// sameAsMoto compares the stack that the local run would be with the one that
// moto made of SAM's translation: environments, event sources, schedules.
func sameAsMoto(t *testing.T, stack *lambdahost.Stack, moto deployed) {
	t.Helper()
	var sources, mappings []string
	for _, f := range stack.Functions {
		for name, value := range moto.Functions[f.LogicalID] {
			want, has := f.Env[name]
			if got := fmt.Sprint(value); !has || got != want && !strings.HasSuffix(name, "_BUCKET") { // moto makes up a bucket's name
				t.Errorf("%s: %s is %q here and %q in moto", f.LogicalID, name, want, got)
			}
		}
		if len(f.Env) != len(moto.Functions[f.LogicalID]) {
			t.Errorf("%s has %d variables here and %d in moto", f.LogicalID, len(f.Env), len(moto.Functions[f.LogicalID]))
		}
		for _, s := range f.Sources {
			sources = append(sources, fmt.Sprint(f.LogicalID, s.QueueARN, s.BatchSize, s.PartialBatch))
		}
	}
	for _, m := range moto.Mappings {
		mappings = append(mappings, fmt.Sprint(m.Function, m.Queue, m.Batch, m.Partial))
	}
	slices.Sort(sources)
	slices.Sort(mappings)
	if !reflect.DeepEqual(sources, mappings) {
		t.Errorf("event sources are %q here and %q in moto", sources, mappings)
	}
	var schedules, urls []string
	for _, s := range stack.Schedules {
		schedules = append(schedules, s.LogicalID)
	}
	slices.Sort(schedules)
	slices.Sort(moto.Schedules)
	if !slices.Equal(schedules, moto.Schedules) {
		t.Errorf("schedules are %q here and %q in moto", schedules, moto.Schedules)
	}
	for _, q := range stack.Queues {
		if moto.Queues[q.Name] == "" {
			urls = append(urls, q.Name)
		}
	}
	if len(urls) > 0 || len(stack.Queues) != len(moto.Queues) || moto.Alarms == 0 {
		t.Errorf("moto lacks queues %q of %d, or has others: %v; %d alarms", urls, len(stack.Queues), moto.Queues, moto.Alarms)
	}
}

// route sends queues' requests where the queues are, and the rest to moto.
func (a *amazon) route(moto, queues string) http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			to := moto
			if strings.HasPrefix(r.In.Header.Get("X-Amz-Target"), "AmazonSQS.") {
				to = queues
			}
			r.Out.URL.Scheme, r.Out.URL.Host = "http", strings.TrimPrefix(to, "http://")
		},
		ModifyResponse: func(res *http.Response) error {
			if res.Request.Method == http.MethodPut && strings.HasPrefix(res.Request.URL.Path, "/"+a.bucket+"/") {
				a.puts.Add(1)
				if a.loseS3.Add(-1) >= 0 {
					panic(http.ErrAbortHandler) // done, and nobody hears of it
				}
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	return proxy
}

func config(endpoint string) aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: &endpoint,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "caseroom", SecretAccessKey: "caseroom"}, nil
		}),
	}
}

func (a *amazon) sqs() *sqs.Client { return sqs.NewFromConfig(config(a.front)) }

// start runs the functions, their queues and the gateway.
func (a *amazon) start(template *lambdahost.Template, binaries, vendors string) {
	var err error
	a.host, err = lambdahost.New(lambdahost.Options{
		Template: template, Region: region, AccountID: account, Parameters: parameters(vendors), Log: &a.log,
		Env:      map[string]string{"AWS_ENDPOINT_URL": a.front, "TRANSCRIPT_BUCKET": a.bucket},
		QueueURL: func(name string) string { return a.moto.Queues[name] },
		Bin:      func(codeURI string) string { return filepath.Join(binaries, filepath.Base(codeURI)) },
	})
	must(a.t, err)
	ln, address := listen(a.t)
	a.url = address
	serve(a.t, ln, a.host.Gateway())
	_, err = a.box.Zendesk().Subscribe(address + "/zendesk/events")
	must(a.t, err)
	a.box.Salesforce().SetTrigger(sandbox.SalesforceTrigger{URL: address + "/salesforce/events", Key: a.fix.DeskKeySalesforce})
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- a.host.Run(ctx) }()
	a.t.Cleanup(func() {
		stop()
		if err := <-stopped; err != nil {
			a.t.Error(err)
		}
		if a.t.Failed() {
			a.t.Log(tail(a.log.String()))
		}
	})
}

// send makes a request of the gateway.
func (a *amazon) send(path, token, key, body string) (status int, answer []byte) {
	a.t.Helper()
	req, err := http.NewRequest(http.MethodPost, a.url+path, strings.NewReader(body))
	must(a.t, err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := http.DefaultClient.Do(req)
	must(a.t, err)
	defer func() { _ = res.Body.Close() }()
	answer, err = io.ReadAll(res.Body)
	must(a.t, err)
	return res.StatusCode, answer
}

// post makes a request that must succeed, and returns the answer's fields.
func (a *amazon) post(path, token, key, body string) (fields map[string]any) {
	a.t.Helper()
	status, answer := a.send(path, token, key, body)
	if status != http.StatusOK {
		a.t.Fatalf("POST %s: %d %s", path, status, answer)
	}
	must(a.t, json.Unmarshal(answer, &fields))
	return fields
}

func (a *amazon) login() string {
	token, err := logintest.HS(a.fix.LoginHS256).Sign(map[string]any{
		"iss": issuer, "aud": "caseroom", "sub": "dana", "name": "Dana", "email": "dana@example.com", "email_verified": true,
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	})
	must(a.t, err)
	return token
}

const ticketBody = `{"caseInfo":{"subject":"The lamp","desc":"It is dark."}}`

// greeted waits until sync has been in the room.
func (a *amazon) greeted(room string) {
	a.t.Helper()
	until(a.t, "a greeting in "+room, func() bool {
		g, ok := a.box.Group(room)
		return ok && len(g.Messages) > 0
	})
}

func (a *amazon) member(room, user string, in bool) {
	a.t.Helper()
	until(a.t, fmt.Sprintf("%s in %s: %v", user, room, in), func() bool {
		g, _ := a.box.Group(room)
		return slices.ContainsFunc(g.Members, func(m sandbox.TencentMember) bool { return m.UserID == user }) == in
	})
}

// idle waits until a queue holds nothing.
func (a *amazon) idle(queue string) {
	a.t.Helper()
	until(a.t, queue+" is empty", func() bool {
		out, err := a.sqs().GetQueueAttributes(context.Background(), &sqs.GetQueueAttributesInput{
			QueueUrl: aws.String(a.moto.Queues[queue]), AttributeNames: []types.QueueAttributeName{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"},
		})
		return err == nil && out.Attributes["ApproximateNumberOfMessages"] == "0" && out.Attributes["ApproximateNumberOfMessagesNotVisible"] == "0"
	})
}

// lifecycle is the life of tickets at both desks, with what goes wrong on the way.
func (a *amazon) lifecycle() {
	t, ctx := a.t, context.Background()
	agent := a.fix.Zendesk.AgentIDs[0]
	zd := fmt.Sprintf("zd_%d", agent)

	key := uuid.NewString()
	made := a.post("/zendesk/createticket", a.login(), key, ticketBody)
	if again := a.post("/zendesk/createticket", a.login(), key, ticketBody); again["ticketId"] != made["ticketId"] {
		t.Errorf("the same key made %v and %v", made["ticketId"], again["ticketId"])
	}
	room := made["GroupId"].(string)
	ticket := a.box.Zendesk().Tickets()[0].ID
	a.greeted(room)
	must(t, a.box.Zendesk().Assign(ticket, agent))
	a.member(room, zd, true)

	kase := a.post("/salesforce/createticket", a.login(), "", ticketBody)["GroupId"].(string)
	a.greeted(kase)
	must(t, a.box.Salesforce().SetOwner(kase, a.fix.Salesforce.AgentIDs[0]))
	a.member(kase, "sf_"+a.fix.Salesforce.AgentIDs[0], true)

	// What nobody of ours wrote goes to the dead-letter queue, with the reason.
	_, err := a.sqs().SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: aws.String(a.moto.Queues["caseroom-sync.fifo"]), MessageBody: aws.String("good morning"),
		MessageGroupId: aws.String("stranger"), MessageDeduplicationId: aws.String("1"),
	})
	must(t, err)
	until(t, "a dead letter with a reason", func() bool {
		out, err := a.sqs().ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: aws.String(a.moto.Queues["caseroom-sync-dead.fifo"]), MessageAttributeNames: []string{"All"}, VisibilityTimeout: 0,
		})
		return err == nil && len(out.Messages) == 1 && aws.ToString(out.Messages[0].Body) == "good morning" &&
			aws.ToString(out.Messages[0].MessageAttributes["reason"].StringValue) != ""
	})

	// The chat is down for a while: the message is put off and comes again.
	must(t, a.box.AddFault(sandbox.Fault{Vendor: "tencent", Op: "get_group_info", Kind: sandbox.FaultStatus, Status: 503, Times: 3}))
	must(t, a.box.Zendesk().Assign(ticket, a.fix.Zendesk.AgentIDs[1]))
	a.member(room, zd, false)

	// Changes that no webhook tells: reconcile finds one in the desk's feed, sweep
	// the other on its way through the rooms.
	must(t, a.box.AddFault(sandbox.Fault{Vendor: "zendesk", Op: "webhook", Kind: sandbox.FaultLose}))
	must(t, a.box.Zendesk().Assign(ticket, agent))
	a.ahead.Store(int64(5 * time.Minute)) // what is newer than a minute is not in the feed
	must(t, a.host.Fire(ctx, "ReconcileZendeskSchedule", time.Now().Add(5*time.Minute)))
	a.member(room, zd, true)
	must(t, a.box.Zendesk().Assign(ticket, a.fix.Zendesk.AgentIDs[1]))
	must(t, a.host.Fire(ctx, "SweepSchedule", time.Now()))
	a.member(room, zd, false)
	a.box.ClearFaults()

	// A closed ticket takes no note: its transcript goes to the bucket, once,
	// though the answer to the first PUT is lost.
	said := "Is anybody there? " + uuid.NewString()
	must(t, a.box.SendAs("dana", room, said))
	a.loseS3.Store(1)
	must(t, a.box.Zendesk().Close(ticket))
	until(t, "a second PUT", func() bool { return a.puts.Load() >= 2 })
	for _, queue := range []string{"sync", "reconcile", "sweep"} {
		a.idle("caseroom-" + queue + ".fifo")
	}
	list := slices.DeleteFunc(a.objects(), func(text string) bool { return !strings.Contains(text, said) })
	if len(list) != 1 {
		t.Errorf("the bucket holds %q", list)
	}

	// A secret that is not there fails what needs it, and only until it is.
	secrets := secretsmanager.NewFromConfig(config(a.front))
	id := sandbox.SecretZendeskChat
	_, err = secrets.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: &id, ForceDeleteWithoutRecovery: aws.Bool(true)})
	must(t, err)
	token := func() int { status, _ := a.send("/generate/token", a.login(), "", "{}"); return status }
	if status := token(); status != http.StatusServiceUnavailable {
		t.Errorf("%d without the secret", status)
	}
	_, err = secrets.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: &id, SecretString: aws.String(string(a.fix.Secrets[id]))})
	must(t, err)
	until(t, "a token after the secret is back", func() bool { return token() == http.StatusOK })
}

// objects are the texts in the transcripts' bucket.
func (a *amazon) objects() (texts []string) {
	client := s3.NewFromConfig(config(a.front), func(o *s3.Options) { o.UsePathStyle = true })
	list, err := client.ListObjectsV2(context.Background(), &s3.ListObjectsV2Input{Bucket: &a.bucket})
	must(a.t, err)
	for _, o := range list.Contents {
		out, err := client.GetObject(context.Background(), &s3.GetObjectInput{Bucket: &a.bucket, Key: o.Key})
		must(a.t, err)
		var text bytes.Buffer
		_, err = text.ReadFrom(out.Body)
		must(a.t, err)
		texts = append(texts, text.String())
	}
	return texts
}

// elasticMQ starts an ElasticMQ with a stack's queues and returns its URL. It
// refuses what SQS refuses, and keeps a FIFO queue's order.
func elasticMQ(t *testing.T, stack *lambdahost.Stack) string {
	jars, err := filepath.Glob(filepath.Join("elasticmq", "lib", "*.jar"))
	must(t, err)
	if len(jars) == 0 {
		t.Skip("NOT CHECKED against ElasticMQ: it needs Java 17 and Maven")
	}
	ln, address := listen(t)
	must(t, ln.Close())
	_, port, err := net.SplitHostPort(ln.Addr().String())
	must(t, err)
	configuration := filepath.Join(t.TempDir(), "elasticmq.conf")
	must(t, os.WriteFile(configuration, fmt.Appendf(nil, `include classpath("application.conf")
rest-sqs { enabled = true, bind-hostname = "127.0.0.1", bind-port = %s, sqs-limits = strict }
rest-stats { enabled = false }
node-address { host = "127.0.0.1", port = %[1]s }
`, port), 0o600))
	var log journal
	cmd := exec.Command("java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-Dconfig.file="+configuration,
		"-cp", filepath.Join("elasticmq", "lib", "*"), "org.elasticmq.server.Main")
	cmd.Stdout, cmd.Stderr = &log, &log
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(tail(log.String()))
		}
	})
	until(t, "ElasticMQ listens", func() bool {
		res, err := http.Get(address)
		if err == nil {
			_ = res.Body.Close()
		}
		return err == nil
	})
	// A dead-letter queue is there before the queue that names it.
	queues := slices.Clone(stack.Queues)
	slices.SortStableFunc(queues, func(a, b lambdahost.Queue) int { return cmp.Compare(len(a.DeadLetterARN), len(b.DeadLetterARN)) })
	for _, q := range queues {
		attributes := map[string]string{"VisibilityTimeout": fmt.Sprint(int(q.Visibility.Seconds()))}
		if q.FIFO {
			attributes["FifoQueue"], attributes["ContentBasedDeduplication"] = "true", fmt.Sprint(q.ContentDedup)
		}
		if q.DeadLetterARN != "" {
			attributes["RedrivePolicy"] = fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":%d}`, q.DeadLetterARN, q.MaxReceiveCount)
		}
		_, err := sqs.NewFromConfig(config(address)).CreateQueue(context.Background(), &sqs.CreateQueueInput{QueueName: &q.Name, Attributes: attributes})
		must(t, err)
	}
	return address
}
