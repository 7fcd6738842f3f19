package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caseroom/caseroom/local/sandbox"
)

func writeFiles(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

type fetched struct {
	status int
	header http.Header
	body   string
}

func fetch(t *testing.T, method, url string, headers ...string) fetched {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		k, v, _ := strings.Cut(h, ": ")
		if k == "Host" {
			req.Host = v
		} else {
			req.Header.Set(k, v)
		}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fetched{res.StatusCode, res.Header, string(body)}
}

// TestDemo looks at what the gateway's root has beside the API.
func TestDemo(t *testing.T) {
	web := writeFiles(t, map[string]string{"widget.js": "export const mount = 1;", "assets/a-1.js": "1", "visitor": "a file in the API's way"})
	ready, out, _ := mustRun(t, func(o *runOptions) { o.web = web })
	if !strings.Contains(out.String(), "look     "+ready.Gateway+"/") {
		t.Errorf("the page is not printed:\n%s", out)
	}
	page := fetch(t, "GET", ready.Gateway+"/")
	if page.status != 200 || !strings.Contains(page.body, "/demo/demo.js") {
		t.Errorf("the page: %d %s", page.status, page.body)
	}
	if csp := page.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, ready.Sandbox) || strings.Contains(csp, "*") {
		t.Errorf("its policy: %s", csp)
	}
	for path, want := range map[string]string{
		"/demo/demo.js": "text/javascript", "/demo/demo.css": "text/css", "/demo/customer.html": "text/html",
		"/widget.js": "text/javascript", "/assets/a-1.js": "text/javascript",
	} {
		if f := fetch(t, "GET", ready.Gateway+path); f.status != 200 || !strings.HasPrefix(f.header.Get("Content-Type"), want) {
			t.Errorf("%s: %d %s", path, f.status, f.header.Get("Content-Type"))
		}
	}
	for _, path := range []string{"/demo/none.js", "/demo/../main.go", "/assets/none.js"} {
		if f := fetch(t, "GET", ready.Gateway+path); f.status != 404 {
			t.Errorf("%s: %d", path, f.status)
		}
	}
	if f := fetch(t, "POST", ready.Gateway+"/"); f.status != 404 {
		t.Errorf("POST /: %d, want the API's own answer", f.status)
	}

	var know demoKnowledge
	if err := json.Unmarshal([]byte(fetch(t, "GET", ready.Gateway+"/demo.json").body), &know); err != nil {
		t.Fatal(err)
	}
	if know.Sandbox != ready.Sandbox || !know.Built || len(know.Customers) != 2 || know.Zendesk == nil || len(know.Zendesk.Agents) != 2 || know.Salesforce == nil {
		t.Errorf("what the page knows: %+v", know)
	}
	// A page elsewhere that gives its own name this machine's address.
	if f := fetch(t, "GET", ready.Gateway+"/demo.json", "Host: evil.example:3000"); f.status != 403 || strings.Contains(f.body, "token") {
		t.Errorf("under another name: %d %s", f.status, f.body)
	}
	if f := fetch(t, "GET", ready.Gateway+"/demo.json"); f.header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("pages of other origins may read the credentials")
	}

	var config struct {
		Chat    struct{ Kind, URL string }
		Parents []string
		ZAF     string
	}
	if err := json.Unmarshal([]byte(fetch(t, "GET", ready.Gateway+"/config.json").body), &config); err != nil {
		t.Fatal(err)
	}
	if config.Chat.Kind != "sandbox" || config.Chat.URL != ready.Sandbox || config.Parents[0] != ready.Gateway {
		t.Errorf("config.json: %+v", config)
	}
	if f := fetch(t, "GET", config.ZAF); f.status != 200 || !strings.Contains(f.body, "ZAFClient") {
		t.Errorf("the app framework's stand-in: %d", f.status)
	}

	for _, name := range know.Schedules {
		if f := fetch(t, "POST", ready.Gateway+"/demo/schedules/"+name); f.status != 204 {
			t.Errorf("%s: %d %s", name, f.status, f.body)
		}
		if f := fetch(t, "POST", ready.Gateway+"/demo/schedules/"+name, "Sec-Fetch-Site: cross-site"); f.status != 403 {
			t.Errorf("%s from another site: %d", name, f.status)
		}
		if f := fetch(t, "POST", ready.Gateway+"/demo/schedules/"+name, "Host: evil.example:3000", "Origin: http://evil.example:3000"); f.status != 403 {
			t.Errorf("%s under another name: %d", name, f.status)
		}
	}
	if f := fetch(t, "POST", ready.Gateway+"/demo/schedules/None"); f.status != 404 {
		t.Errorf("an unknown schedule: %d", f.status)
	}
}

// TestDemoWithoutClients is a machine without Node.
func TestDemoWithoutClients(t *testing.T) {
	for name, web := range map[string]string{"no folder": filepath.Join(t.TempDir(), "none"), "not built": t.TempDir()} {
		t.Run(name, func(t *testing.T) {
			ready, _, _ := mustRun(t, func(o *runOptions) { o.web, o.noBuild = web, built(t) })
			if f := fetch(t, "GET", ready.Gateway+"/"); f.status != 200 {
				t.Errorf("the page: %d", f.status)
			}
			if f := fetch(t, "GET", ready.Gateway+"/demo.json"); !strings.Contains(f.body, `"built":false`) {
				t.Errorf("the page takes the clients for built: %s", f.body)
			}
			if f := fetch(t, "GET", ready.Gateway+"/widget.js"); f.status != 404 {
				t.Errorf("widget.js: %d", f.status)
			}
		})
	}
}

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
	web := writeFiles(t, map[string]string{
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
		more := filepath.Join(writeFiles(t, map[string]string{"more.json": `{"quickReplies":["Hello"]}`}), "more.json")
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

func TestZendeskAppZip(t *testing.T) {
	zip := filepath.Join(t.TempDir(), "new", "app.zip")
	run := func(args ...string) error {
		cmd := command()
		cmd.SetOut(io.Discard)
		cmd.SetArgs(append([]string{"zendesk-app", "--source", "../../clients/zendesk", "-o", zip}, args...))
		return cmd.ExecuteContext(t.Context())
	}
	account := "--zendesk=https://acme.zendesk.com"
	if err := run("--api", "https://api.example.com", account, "--dry-run"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(zip); err == nil {
		t.Error("a dry run wrote the zip")
	}
	if err := run("--api", "https://api.example.com", "--integration", "own_name"); err != nil {
		t.Fatal(err)
	}
	if err := run("--api", "https://api.example.com", account); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(zip); err != nil || !strings.HasPrefix(string(b), "PK") {
		t.Errorf("the zip: %v", err)
	}
	for _, args := range [][]string{
		{}, {"--api", "https://api.example.com"}, {"--api", "http://api.example.com", account},
		{"--api", "https://api.example.com", account, "--source", t.TempDir()},
		{"--api", "https://api.example.com", "--integration", "No Name"},
	} {
		if err := run(args...); err == nil {
			t.Errorf("%v made an app", args)
		}
	}
}
