package localrun_test

import (
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/localrun"
	"github.com/caseroom/caseroom/cmd/caseroom/internal/localrun/localruntest"
)

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
	web := localruntest.Files(t, map[string]string{"widget.js": "export const mount = 1;", "assets/a-1.js": "1", "visitor": "a file in the API's way"})
	ready, out, _ := localruntest.Start(t, func(o *localrun.Options) { o.Web = web })
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

	var know localrun.Knowledge
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
			ready, _, _ := localruntest.Start(t, func(o *localrun.Options) { o.Web = web })
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
