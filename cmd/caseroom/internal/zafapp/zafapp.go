// Package zafapp makes the package of an app for Zendesk's app framework, and
// checks it offline by the rules by which Zendesk takes or refuses one. See
// https://developer.zendesk.com/documentation/apps/app-developer-guide/manifest/.
package zafapp

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	_ "image/png" // the logos
	"io/fs"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Manifest is what of manifest.json is checked.
type Manifest struct {
	Name             string                                `json:"name"`
	Author           map[string]string                     `json:"author"`
	Version          string                                `json:"version"`
	FrameworkVersion string                                `json:"frameworkVersion"`
	DefaultLocale    string                                `json:"defaultLocale"`
	Private          *bool                                 `json:"private"`
	SingleInstall    *bool                                 `json:"singleInstall"`
	SignedURLs       *bool                                 `json:"signedUrls"`
	Location         map[string]map[string]json.RawMessage `json:"location"`
	DomainWhitelist  []string                              `json:"domainWhitelist"`
	Parameters       []Parameter                           `json:"parameters"`
	TermsConditions  string                                `json:"termsConditionsURL"`
	RemoteInstall    string                                `json:"remoteInstallationURL"`
	RequirementsOnly *bool                                 `json:"requirementsOnly"`
	MarketingOnly    *bool                                 `json:"marketingOnly"`
	GoogleAnalytics  string                                `json:"gaID"`
	OAuth            json.RawMessage                       `json:"oauth"`
}

// Parameter is a setting that an admin gives at installation.
type Parameter struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"`
	Required bool     `json:"required"`
	Secure   bool     `json:"secure"`
	Default  any      `json:"default"`
	Scopes   []string `json:"scopes"`
}

// place is a location's page when it is an object.
type place struct {
	URL      string          `json:"url"`
	Flexible *bool           `json:"flexible"`
	AutoLoad *bool           `json:"autoLoad"`
	AutoHide *bool           `json:"autoHide"`
	Signed   *bool           `json:"signed"`
	Size     json.RawMessage `json:"size"`
}

var (
	localeText    = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,4})?$`)
	secretName    = regexp.MustCompile(`(?i)token|key|pwd|password`)
	locations     = []string{"ticket_sidebar", "new_ticket_sidebar", "user_sidebar", "organization_sidebar", "nav_bar", "top_bar", "background", "modal", "ticket_editor"}
	parameterType = []string{"text", "checkbox", "url", "number", "multiline", "hidden", "oauth", "mtls"}
	scopes        = []string{"header", "body", "url", "jwt_secret_key", "jwt_claim", "basic_auth_username", "basic_auth_password"}
	fileTypes     = []string{".json", ".html", ".css", ".js", ".png", ".svg"}
)

// Check says everything that is wrong with an app's files, nil if nothing is.
func Check(files fs.FS) error {
	var wrong []error
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	text, err := fs.ReadFile(files, "manifest.json")
	if err != nil {
		return fmt.Errorf("manifest.json: %w", err)
	}
	var m Manifest
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		return fmt.Errorf("manifest.json: %w", err)
	}
	for _, key := range []string{"name", "email"} {
		if m.Author[key] == "" {
			bad("manifest.json: author.%s is missing", key)
		}
	}
	if u, err := url.Parse(m.Author["url"]); err != nil || m.Author["url"] != "" && u.Scheme != "https" {
		bad("manifest.json: author.url is not an https address")
	}
	if m.FrameworkVersion != "2.0" {
		bad("manifest.json: frameworkVersion is not 2.0")
	}
	if !localeText.MatchString(m.DefaultLocale) {
		bad("manifest.json: defaultLocale is not a locale")
	} else if _, err := fs.Stat(files, "translations/"+m.DefaultLocale+".json"); err != nil {
		bad("translations/%s.json: the default locale has no translation", m.DefaultLocale)
	}
	signed := checkLocations(files, m, bad)
	if signed && (m.SignedURLs == nil || !*m.SignedURLs) {
		bad("manifest.json: a location is signed, but signedUrls is not true")
	}
	for _, host := range m.DomainWhitelist {
		if host == "" || strings.ContainsAny(host, "/: ") {
			bad("manifest.json: domainWhitelist: %q is not a host", host)
		}
	}
	checkParameters(m, bad)
	checkTranslations(files, m, bad)
	checkFiles(files, bad)
	return errors.Join(wrong...)
}

func checkLocations(files fs.FS, m Manifest, bad func(string, ...any)) (signed bool) {
	if len(m.Location) == 0 {
		bad("manifest.json: location is missing")
	}
	for product, places := range m.Location {
		if product != "support" {
			bad("manifest.json: location.%s is not a product of this app", product)
		}
		for name, raw := range places {
			if !slices.Contains(locations, name) {
				bad("manifest.json: location.support.%s does not exist", name)
			}
			var p place
			if json.Unmarshal(raw, &p.URL) != nil {
				dec := json.NewDecoder(bytes.NewReader(raw))
				dec.DisallowUnknownFields()
				if err := dec.Decode(&p); err != nil {
					bad("manifest.json: location.support.%s: %v", name, err)
					continue
				}
			}
			u, err := url.Parse(p.URL)
			switch {
			case p.URL == "" || err != nil:
				bad("manifest.json: location.support.%s has no address", name)
			case u.IsAbs() && u.Scheme != "https":
				bad("manifest.json: location.support.%s is not https", name)
			case !u.IsAbs():
				if _, err := fs.Stat(files, u.Path); err != nil {
					bad("manifest.json: location.support.%s: there is no file %s", name, u.Path)
				}
			}
			signed = signed || p.Signed != nil && *p.Signed
		}
	}
	return signed
}

func checkParameters(m Manifest, bad func(string, ...any)) {
	seen := map[string]bool{}
	for _, p := range m.Parameters {
		switch {
		case p.Name == "" || p.Name == "name":
			bad("manifest.json: a parameter is named %q", p.Name)
		case seen[p.Name]:
			bad("manifest.json: two parameters are named %s", p.Name)
		}
		seen[p.Name] = true
		if !slices.Contains(parameterType, p.Type) {
			bad("manifest.json: parameter %s: there is no type %q", p.Name, p.Type)
		}
		for _, s := range p.Scopes {
			if !slices.Contains(scopes, s) {
				bad("manifest.json: parameter %s: there is no scope %q", p.Name, s)
			}
		}
		switch {
		case len(p.Scopes) > 0 && !p.Secure:
			bad("manifest.json: parameter %s has scopes but is not secure", p.Name)
		case p.Secure && len(p.Scopes) == 0:
			bad("manifest.json: parameter %s is secure but has no scopes", p.Name)
		case p.Type == "text" && !p.Secure && secretName.MatchString(p.Name):
			bad("manifest.json: parameter %s sounds like a secret but is not secure", p.Name)
		case p.Default != nil && (p.Secure || p.Type == "hidden"):
			bad("manifest.json: parameter %s has a default that nobody sees", p.Name)
		}
	}
}

type translation struct {
	App struct {
		Name         string `json:"name"`
		Short        string `json:"short_description"`
		Long         string `json:"long_description"`
		Instructions string `json:"installation_instructions"`
		Parameters   map[string]struct {
			Label    string `json:"label"`
			HelpText string `json:"helpText"`
		} `json:"parameters"`
	} `json:"app"`
}

func checkTranslations(files fs.FS, m Manifest, bad func(string, ...any)) {
	names, err := fs.Glob(files, "translations/*")
	if err != nil || len(names) == 0 {
		bad("translations: there is none")
	}
	for _, name := range names {
		locale, named := strings.CutSuffix(path.Base(name), ".json")
		if !named || !localeText.MatchString(locale) {
			bad("%s: the name is not a locale's", name)
			continue
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			bad("%s: %v", name, err)
			continue
		}
		var t translation
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&t); err != nil {
			bad("%s: %v", name, err)
			continue
		}
		for what, v := range map[string]string{
			"name": t.App.Name, "short_description": t.App.Short, "long_description": t.App.Long,
			"installation_instructions": t.App.Instructions,
		} {
			if v == "" {
				bad("%s: app.%s is missing", name, what)
			}
		}
		for _, p := range m.Parameters {
			if t.App.Parameters[p.Name].Label == "" {
				bad("%s: app.parameters.%s has no label", name, p.Name)
			}
		}
		for p := range t.App.Parameters {
			if !slices.ContainsFunc(m.Parameters, func(x Parameter) bool { return x.Name == p }) {
				bad("%s: there is no parameter %s", name, p)
			}
		}
	}
}

func checkFiles(files fs.FS, bad func(string, ...any)) {
	for name, size := range map[string]int{"assets/logo.png": 320, "assets/logo-small.png": 128} {
		f, err := files.Open(name)
		if err != nil {
			bad("%s is missing", name)
			continue
		}
		c, format, err := image.DecodeConfig(f)
		_ = f.Close()
		if err != nil || format != "png" || c.Width != size || c.Height != size {
			bad("%s is not a PNG of %d by %d", name, size, size)
		}
	}
	err := fs.WalkDir(files, ".", func(name string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && packaged(name) && !slices.Contains(fileTypes, path.Ext(name)) {
			bad("%s: Zendesk does not take such a file, or the app does not need it", name)
		}
		return err
	})
	if err != nil {
		bad("%v", err)
	}
}

// App is what a package is made for.
type App struct {
	API *url.URL
	// Integration is the name of the ZIS integration that the admins' page sets
	// up, Bundle what it uploads.
	Integration string
	Bundle      []byte
}

// packaged reports whether a file belongs to the app.
func packaged(name string) bool {
	return name == "manifest.json" || strings.HasPrefix(name, "assets/") || strings.HasPrefix(name, "translations/")
}

// filledIn are the files that name the API or the integration.
var filledIn = []string{"manifest.json", "assets/config.json"}

// Package fills in the addresses, adds the bundle, makes the app's zip and
// checks what is in it. The same files make the same bytes.
func Package(files fs.FS, app App) ([]byte, error) {
	if app.API.Scheme != "https" {
		return nil, errors.New("the API's address must be https: Zendesk opens no other")
	}
	fill := strings.NewReplacer(
		"${API_URL}", strings.TrimSuffix(app.API.String(), "/"), "${API_HOST}", app.API.Hostname(), "${INTEGRATION}", app.Integration,
	)
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	add := func(name string, data []byte) error {
		f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)})
		if err == nil {
			_, err = f.Write(data)
		}
		return err
	}
	err := fs.WalkDir(files, ".", func(name string, e fs.DirEntry, err error) error { // in order of names
		if err != nil || !e.Type().IsRegular() || !packaged(name) {
			return err
		}
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		if slices.Contains(filledIn, name) {
			data = []byte(fill.Replace(string(data)))
		}
		return add(name, data)
	})
	if err = errors.Join(err, add("assets/bundle.json", app.Bundle), w.Close()); err != nil {
		return nil, err
	}
	z, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		return nil, err
	}
	if err := Check(z); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
