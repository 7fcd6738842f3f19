// Package docs checks what the guides say against what they describe: every
// parameter and variable stands in docs/configuration.md with its default, and
// every link leads somewhere.
package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

const (
	root  = "../.."
	guide = root + "/docs/configuration.md"
)

func TestEveryParameterIsDocumented(t *testing.T) {
	want := map[string]string{}
	for name, p := range loadTemplate(t).Parameters {
		want[name] = p.Default
	}
	if diff := cmp.Diff(want, table(t, "Parameters")); diff != "" {
		t.Errorf("parameters and their defaults (-template.yaml +%s):\n%s", guide, diff)
	}
}

func TestEveryVariableIsDocumented(t *testing.T) {
	want := configVariables(t)
	for _, variables := range loadTemplate(t).environments() {
		for name := range variables {
			if _, known := want[name]; !known {
				want[name] = ""
			}
		}
	}
	// Their defaults are no tags: empty and unset differ.
	want["LOGIN_EMAIL_TRUSTED"] = ""
	want["SALESFORCE_KEY_FIELD"], want["SALESFORCE_USER_FIELD"] = "Caseroom_Key__c", "Caseroom_User__c"
	if diff := cmp.Diff(want, table(t, "Environment variables")); diff != "" {
		t.Errorf("variables and their defaults (-shared/config +%s):\n%s", guide, diff)
	}
}

func TestEverySecretIsDocumented(t *testing.T) {
	text := section(t, read(t, guide), "Secrets")
	for name, p := range loadTemplate(t).Parameters {
		// One without a name of its own is another's.
		if strings.HasSuffix(name, "Secret") && p.Default != "" && !strings.Contains(text, "\n| `"+p.Default+"` |") {
			t.Errorf("%s: the table of secrets lacks %s", guide, p.Default)
		}
	}
}

// TestReadmesNumbersAreMeasured wants each number of README's table in the
// benchmark's own, which a command writes.
func TestReadmesNumbersAreMeasured(t *testing.T) {
	_, after, ok := strings.Cut(read(t, root+"/docs/performance.md"), "<!-- bench: begin -->")
	measured, _, ended := strings.Cut(after, "<!-- bench: end -->")
	if !ok || !ended {
		t.Fatal("docs/performance.md has no table of the benchmark")
	}
	numbers := 0
	for _, line := range strings.Split(section(t, read(t, root+"/README.md"), "Measured"), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 6 || strings.Contains(line, "---") {
			continue
		}
		for _, number := range regexp.MustCompile(`\d+\.\d+|\d{2,}`).FindAllString(strings.Join(cells[2:], "|"), -1) {
			numbers++
			if !regexp.MustCompile(`(^|[^\d.])` + regexp.QuoteMeta(number) + `([^\d.]|$)`).MatchString(measured) {
				t.Errorf("README.md: nothing in docs/performance.md is %s: %s", number, line)
			}
		}
	}
	if numbers < 10 {
		t.Errorf("only %d numbers were found", numbers)
	}
}

func TestLinksLeadSomewhere(t *testing.T) {
	checked := 0
	for _, file := range guides(t) {
		for _, target := range links(read(t, file)) {
			u, err := url.Parse(target)
			if err != nil {
				t.Errorf("%s: link %q: %v", file, target, err)
				continue
			}
			if u.Scheme != "" {
				continue
			}
			checked++
			to := file
			if u.Path != "" {
				to = filepath.Join(filepath.Dir(file), filepath.FromSlash(u.Path))
			}
			info, err := os.Stat(to)
			switch {
			case err != nil:
				t.Errorf("%s: link %q leads nowhere", file, target)
			case u.Fragment != "" && !info.IsDir() && filepath.Ext(to) == ".md" && !anchors(read(t, to))[u.Fragment]:
				t.Errorf("%s: link %q: no such heading", file, target)
			}
		}
	}
	if checked == 0 {
		t.Error("no relative link was found at all")
	}
}

func TestLinksAreFound(t *testing.T) {
	text := "[a](x.md) and [b](y.md#z \"title\")\n```sh\n[not](a-link)\n```\n`[nor](this)` ![c](d.png)\n"
	if diff := cmp.Diff([]string{"x.md", "y.md#z", "d.png"}, links(text)); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
	want := map[string]bool{"who-may-be-whom": true, "create-ticket-200": true, "twice": true, "twice-1": true}
	if diff := cmp.Diff(want, anchors("# Who may be whom?\n## `create-ticket`: 200\n```\n# not\n```\n# Twice\n# Twice\n")); diff != "" {
		t.Errorf("anchors (-want +got):\n%s", diff)
	}
}

type template struct {
	Parameters map[string]struct {
		Default string `yaml:"Default"`
	} `yaml:"Parameters"`
	Globals struct {
		Function function `yaml:"Function"`
	} `yaml:"Globals"`
	Resources map[string]resource `yaml:"Resources"`
}

type resource struct {
	Type       string    `yaml:"Type"`
	Condition  string    `yaml:"Condition"`
	Properties yaml.Node `yaml:"Properties"`
}

type function struct {
	LoggingConfig struct {
		LogGroup string `yaml:"LogGroup"`
	} `yaml:"LoggingConfig"`
	Environment struct {
		Variables map[string]yaml.Node `yaml:"Variables"`
	} `yaml:"Environment"`
}

func loadTemplate(t *testing.T) template {
	t.Helper()
	var tmpl template
	if err := yaml.Unmarshal([]byte(read(t, root+"/template.yaml")), &tmpl); err != nil {
		t.Fatal(err)
	}
	if len(tmpl.Parameters) == 0 || len(tmpl.environments()) < 2 {
		t.Fatal("template.yaml shows no parameters or no functions")
	}
	return tmpl
}

// environments are the variables of all functions, and of Globals.
func (tmpl template) environments() []map[string]yaml.Node {
	list := []map[string]yaml.Node{tmpl.Globals.Function.Environment.Variables}
	for _, r := range tmpl.Resources {
		var f function
		if r.Type == "AWS::Serverless::Function" && r.Properties.Decode(&f) == nil {
			list = append(list, f.Environment.Variables)
		}
	}
	return list
}

// configVariables are the variables in the tags of shared/config, with their
// defaults.
func configVariables(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(root + "/shared/config/*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			field, ok := n.(*ast.Field)
			if !ok || field.Tag == nil {
				return true
			}
			text, err := strconv.Unquote(field.Tag.Value)
			if err != nil {
				t.Fatal(err)
			}
			if name := reflect.StructTag(text).Get("env"); name != "" {
				found[name] = max(found[name], reflect.StructTag(text).Get("envDefault"))
			}
			return true
		})
	}
	if len(found) == 0 {
		t.Fatal("shared/config has no variables")
	}
	return found
}

var row = regexp.MustCompile("(?m)^\\| `([A-Za-z0-9_]+)` \\| (?:–|`([^`]*)`) \\|")

// table returns the first two columns of the table under a heading of the
// guide: names and defaults, "" for a dash.
func table(t *testing.T, heading string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, m := range row.FindAllStringSubmatch(section(t, read(t, guide), heading), -1) {
		if _, twice := found[m[1]]; twice {
			t.Errorf("%s: %s stands twice under %q", guide, m[1], heading)
		}
		found[m[1]] = m[2]
	}
	return found
}

// section is the text under a heading of the second level.
func section(t *testing.T, text, heading string) string {
	t.Helper()
	_, after, ok := strings.Cut(text, "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("%s has no heading %q", guide, heading)
	}
	body, _, _ := strings.Cut(after, "\n## ")
	return body
}

// guides are the Markdown files of the project, not those of its tools.
func guides(t *testing.T) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && path != root && (name == "node_modules" || strings.HasPrefix(name, ".")) {
			return filepath.SkipDir
		}
		if !d.IsDir() && filepath.Ext(path) == ".md" {
			list = append(list, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

var (
	fenced = regexp.MustCompile("(?ms)^```.*?^```")
	code   = regexp.MustCompile("`[^`\n]*`")
	link   = regexp.MustCompile(`\]\(\s*<?([^)\s>]+)`)
	header = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
	// GitHub's anchors keep letters, digits, hyphens and underscores.
	dropped = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

func links(text string) []string {
	var list []string
	for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(fenced.ReplaceAllString(text, ""), ""), -1) {
		list = append(list, m[1])
	}
	return list
}

func anchors(text string) map[string]bool {
	found := map[string]bool{}
	for _, m := range header.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		slug := strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")
		name := slug
		for n := 1; found[name]; n++ {
			name = slug + "-" + strconv.Itoa(n)
		}
		found[name] = true
	}
	return found
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
