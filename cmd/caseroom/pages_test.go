package main

import (
	"context"
	"errors"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/localrun/localruntest"
	"github.com/caseroom/caseroom/local/sandbox"
)

func TestPages(t *testing.T) {
	box := sandbox.New(sandbox.Options{Seed: 1, Buckets: []string{"pages"}})
	defer box.Close()
	srv := httptest.NewServer(box.Handler())
	defer srv.Close()
	aws := box.Fixtures().AWS
	t.Setenv("AWS_ENDPOINT_URL", srv.URL+"/aws")
	t.Setenv("AWS_ACCESS_KEY_ID", aws.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", aws.SecretAccessKey)
	t.Setenv("AWS_SESSION_TOKEN", "")
	t.Setenv("AWS_REGION", aws.Region)
	web := localruntest.Files(t, map[string]string{
		"widget.js": "w", "panel.js": "p", "panel.html": "<html><head><title>x</title></head></html>",
		"assets/a-1.js": "a", "config.json": `{"chat":{"kind":"sandbox","url":"http://127.0.0.1"}}`,
	})
	outputs := `[{"OutputKey":"ApiUrl","OutputValue":"https://api.example.com"},{"OutputKey":"PagesBucketName","OutputValue":"pages"},
		{"OutputKey":"PagesUrl","OutputValue":"https://d1.cloudfront.net"},{"OutputKey":"PanelParents","OutputValue":"https://a.lightning.force.com,https://b.example"}]`
	upload := func(outputs, web string, flags ...string) (string, error) {
		cmd := command()
		var out strings.Builder
		cmd.SetOut(&out)
		cmd.SetErr(&out)
		cmd.SetIn(strings.NewReader(outputs))
		more := filepath.Join(localruntest.Files(t, map[string]string{"more.json": `{"quickReplies":["Hello"]}`}), "more.json")
		cmd.SetArgs(append([]string{"pages", "--web", web, "--config", more}, flags...))
		err := cmd.ExecuteContext(t.Context())
		return out.String(), err
	}
	if out, err := upload(outputs, web, "--dry-run", "--json"); err != nil || !strings.Contains(out, `"uploaded": false`) || len(box.State().AWS.Objects) != 0 {
		t.Errorf("a dry run: %v %s", err, out)
	}
	out, err := upload(outputs, web)
	if err != nil || !strings.Contains(out, "5/5 config.json") || !strings.Contains(out, "https://d1.cloudfront.net/widget.js") {
		t.Fatalf("%v\n%s", err, out)
	}
	read := func(key string) string { b, _ := box.Object("pages", key); return string(b) }
	if c := read("config.json"); c != `{"api":"https://api.example.com","chat":{"kind":"tencent"},"parents":["https://a.lightning.force.com","https://b.example"],"quickReplies":["Hello"]}` {
		t.Errorf("config.json: %s", c)
	}
	if p := read("panel.html"); !strings.Contains(p, `<head><meta http-equiv="Content-Security-Policy" content="connect-src 'self' https://api.example.com https://`) {
		t.Errorf("panel.html: %s", p)
	}
	types := map[string]string{}
	for _, o := range box.State().AWS.Objects {
		types[o.Key] = o.ContentType
	}
	if !strings.HasPrefix(types["widget.js"], "text/javascript") || !strings.HasPrefix(types["panel.html"], "text/html") || types["assets/a-1.js"] == "" {
		t.Errorf("content types %v", types)
	}

	t.Run("--stack", func(t *testing.T) {
		t.Setenv("AWS_ENDPOINT_URL", cloudFormation(t))
		t.Setenv("AWS_REGION", "")
		args := []string{"--stack", "caseroom", "--region", "eu-west-1", "--dry-run", "--json"}
		if out, err := upload("", web, args...); err != nil || !strings.Contains(out, `"bucket": "pages"`) || !strings.Contains(out, "https://d1.cloudfront.net/panel.html") {
			t.Errorf("%v\n%s", err, out)
		}
		args[1] = "other"
		if _, err := upload("", web, args...); err == nil || !strings.Contains(err.Error(), "stack other in eu-west-1") {
			t.Errorf("a stack that is not there: %v", err)
		}
	})

	for name, c := range map[string]struct{ outputs, web, want string }{
		"not JSON":    {"ApiUrl", web, "sam list stack-outputs"},
		"no pages":    {`[{"OutputKey":"ApiUrl","OutputValue":"https://api.example.com"}]`, web, "Pages=on"},
		"no API":      {`[{"OutputKey":"PagesBucketName","OutputValue":"pages"}]`, web, "ApiUrl"},
		"not built":   {outputs, t.TempDir(), "not built"},
		"no bucket":   {strings.Replace(outputs, `"pages"`, `"other"`, 1), web, "NoSuchBucket"},
		"bad address": {strings.Replace(outputs, "https://api", "ftp://api", 1), web, "ApiUrl"},
	} {
		if _, err := upload(c.outputs, c.web); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

// TestPagesHalfWay: what was uploaded stays, and the exit code says that there is
// more to do.
func TestPagesHalfWay(t *testing.T) {
	web := fstest.MapFS{"widget.js": {Data: []byte("w")}, "assets/a.js": {Data: []byte("a")}}
	done, err := uploadPages(t.Context(), &failing{after: 1}, web, stackOutputs{API: "https://api.example.com", Bucket: "b"}, func(string, ...any) {})
	if err == nil || len(done) != 1 || done[0] != "assets/a.js" {
		t.Errorf("done %v, %v", done, err)
	}
}

// failing takes so many objects and no more.
type failing struct{ after int }

func (f *failing) PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	if f.after--; f.after < 0 {
		return nil, errors.New("access denied")
	}
	return &s3.PutObjectOutput{}, nil
}
