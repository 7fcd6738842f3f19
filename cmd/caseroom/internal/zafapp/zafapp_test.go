package zafapp_test

import (
	"archive/zip"
	"bytes"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/zafapp"
)

const source = "../../../../clients/zendesk"

var app = zafapp.App{
	API:         &url.URL{Scheme: "https", Host: "abc.execute-api.eu-central-1.amazonaws.com", Path: "/"},
	Integration: "caseroom_acme_1", Bundle: []byte(`{"name":"caseroom"}`),
}

// TestPackage makes the app's zip and checks what Zendesk would look at.
func TestPackage(t *testing.T) {
	b, err := zafapp.Package(os.DirFS(source), app)
	if err != nil {
		t.Fatal(err)
	}
	again, err := zafapp.Package(os.DirFS(source), app)
	if err != nil || !bytes.Equal(b, again) {
		t.Errorf("the same files make another zip: %v", err)
	}
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if err := zafapp.Check(z); err != nil {
		t.Errorf("what is in the zip: %v", err)
	}
	read := func(name string) string {
		f, err := z.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if m := read("manifest.json"); !strings.Contains(m, `"https://abc.execute-api.eu-central-1.amazonaws.com/zendesk/app"`) ||
		!strings.Contains(m, `["abc.execute-api.eu-central-1.amazonaws.com"]`) || strings.Contains(m, "${") {
		t.Errorf("manifest.json: %s", m)
	}
	if c := read("assets/config.json"); c != `{ "api": "https://abc.execute-api.eu-central-1.amazonaws.com", "integration": "caseroom_acme_1" }`+"\n" {
		t.Errorf("config.json: %s", c)
	}
	if b := read("assets/bundle.json"); b != `{"name":"caseroom"}` {
		t.Errorf("bundle.json: %s", b)
	}
	for _, f := range z.File {
		if strings.HasPrefix(f.Name, "zis/") {
			t.Errorf("%s is no part of the app", f.Name)
		}
	}
	local := app
	local.API = &url.URL{Scheme: "http", Host: "127.0.0.1:3000"}
	if _, err := zafapp.Package(os.DirFS(source), local); err == nil {
		t.Error("an address that Zendesk does not open was taken")
	}
}

// TestCheck breaks the app in one place at a time.
func TestCheck(t *testing.T) {
	good := fstest.MapFS{}
	if err := fs.WalkDir(os.DirFS(source), ".", func(name string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			b, err := os.ReadFile(source + "/" + name)
			if err != nil {
				return err
			}
			good[name] = &fstest.MapFile{Data: bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("${API_URL}"), []byte("https://api.example.com")), []byte("${API_HOST}"), []byte("api.example.com"))}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := zafapp.Check(good); err != nil {
		t.Fatalf("the app itself: %v", err)
	}
	for _, c := range []struct {
		name, file, old, new string
		want                 string
	}{
		{"no manifest", "manifest.json", "", "", "manifest.json"},
		{"not JSON", "manifest.json", "{\n", "{{", "manifest.json"},
		{"an unknown key", "manifest.json", `"private"`, `"privat"`, "privat"},
		{"author", "manifest.json", `"maintainers@caseroom.example"`, `""`, "author.email"},
		{"author's address", "manifest.json", `"https://github.com/`, `"javascript:`, "author.url"},
		{"framework", "manifest.json", `"2.0"`, `"1.0"`, "frameworkVersion"},
		{"locale", "manifest.json", `"defaultLocale": "en"`, `"defaultLocale": "english"`, "defaultLocale"},
		{"no translation", "manifest.json", `"defaultLocale": "en"`, `"defaultLocale": "fr"`, "translations/fr.json"},
		{"location", "manifest.json", `"nav_bar"`, `"navbar"`, "location.support.navbar"},
		{"product", "manifest.json", `"support"`, `"chat"`, "location.chat"},
		{"missing page", "manifest.json", "assets/admin.html", "assets/none.html", "assets/none.html"},
		{"plain http", "manifest.json", "https://api.example.com/zendesk", "http://api.example.com/zendesk", "not https"},
		{"unsigned", "manifest.json", `"signedUrls": true`, `"signedUrls": false`, "signedUrls"},
		{"key of a place", "manifest.json", `"flexible"`, `"flexibel"`, "flexibel"},
		{"host", "manifest.json", `["api.example.com"]`, `["https://api.example.com"]`, "domainWhitelist"},
		{"parameter's name", "manifest.json", `"parameters": []`, `"parameters": [{"name": "name", "type": "text"}]`, `named "name"`},
		{"parameter's type", "manifest.json", `"parameters": []`, `"parameters": [{"name": "x", "type": "string"}]`, "type"},
		{"secret", "manifest.json", `"parameters": []`, `"parameters": [{"name": "api_token", "type": "text"}]`, "sounds like a secret"},
		{"scopes without secure", "manifest.json", `"parameters": []`, `"parameters": [{"name": "x", "type": "text", "scopes": ["header"]}]`, "not secure"},
		{"secure without scopes", "manifest.json", `"parameters": []`, `"parameters": [{"name": "x", "type": "text", "secure": true}]`, "no scopes"},
		{"scope", "manifest.json", `"parameters": []`, `"parameters": [{"name": "x", "type": "text", "secure": true, "scopes": ["cookie"]}]`, "scope"},
		{"hidden default", "manifest.json", `"parameters": []`, `"parameters": [{"name": "x", "type": "text", "secure": true, "scopes": ["header"], "default": "x"}]`, "default"},
		{"unknown text", "translations/ru.json", `"parameters": {}`, `"parameters": {"x": {"label2": "y"}}`, "label2"},
		{"no label", "manifest.json", `"parameters": []`, `"parameters": [{"name": "x", "type": "text"}]`, "no label"},
		{"label of nothing", "translations/ja.json", `"parameters": {}`, `"parameters": {"x": {"label": "y"}}`, "no parameter x"},
		{"name of a translation", "translations/zh-cn.json", "rename", "translations/chinese.json", "translations/chinese.json"},
		{"empty text", "translations/en.json", `"The customer's chat, beside the ticket"`, `""`, "short_description"},
		{"logo", "assets/logo.png", "", "", "assets/logo.png"},
		{"small logo", "assets/logo-small.png", "copy", "assets/logo.png", "128"},
		{"an archive", "assets/admin.css", "rename", "assets/more.zip", "more.zip"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := fstest.MapFS{}
			for k, v := range good {
				files[k] = v
			}
			data := good[c.file].Data
			switch {
			case c.old == "":
				delete(files, c.file)
			case c.old == "rename":
				delete(files, c.file)
				files[c.new] = &fstest.MapFile{Data: data}
			case c.old == "copy":
				files[c.file] = good[c.new]
			case !bytes.Contains(data, []byte(c.old)):
				t.Fatalf("%s does not hold %s", c.file, c.old)
			default:
				files[c.file] = &fstest.MapFile{Data: bytes.Replace(data, []byte(c.old), []byte(c.new), 1)}
			}
			if err := zafapp.Check(files); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want a complaint about %s", err, c.want)
			}
		})
	}
}

func FuzzCheck(f *testing.F) {
	b, err := os.ReadFile(source + "/manifest.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b, []byte(`{"app":{"name":"x","parameters":{"integration":{"label":"y"}}}}`))
	f.Add([]byte(`{"location":{"support":{"modal":{"url":"%zz"}}}}`), []byte(`null`))
	f.Fuzz(func(t *testing.T, manifest, translation []byte) {
		err := zafapp.Check(fstest.MapFS{
			"manifest.json": {Data: manifest}, "translations/en.json": {Data: translation},
		})
		if err == nil {
			t.Error("an app without logos was taken")
		}
	})
}
