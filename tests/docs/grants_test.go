package docs

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// secretOf is the end of a secret's ARN: the parameter with its name, and
// whose secrets below that name. Six characters are Secrets Manager's own.
var secretOf = regexp.MustCompile(`:secret:\$\{(\w+)\}(-\?{6}|/\w+/\*)$`)

// granted are the secrets that each function may read: as parameters' names, or
// as a name and what is below it.
func granted(t *testing.T) map[string][]string {
	t.Helper()
	list := map[string][]string{}
	for name, r := range loadTemplate(t).Resources {
		if r.Type != "AWS::Serverless::Function" {
			continue
		}
		var p struct {
			CodeUri  string    `yaml:"CodeUri"`
			Policies yaml.Node `yaml:"Policies"`
		}
		if err := r.Properties.Decode(&p); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		function := strings.Trim(strings.TrimPrefix(p.CodeUri, "functions/"), "/")
		list[function] = nil
		eachStatement(&p.Policies, func(action, resource []string) {
			if !slices.Contains(action, "secretsmanager:GetSecretValue") {
				return
			}
			for _, arn := range resource {
				switch m := secretOf.FindStringSubmatch(arn); {
				case m == nil && strings.Contains(arn, "secret"):
					t.Errorf("%s may read %s, which is not one secret", function, arn)
				case m != nil && strings.HasPrefix(m[2], "-"):
					list[function] = append(list[function], m[1])
				case m != nil:
					list[function] = append(list[function], m[1]+strings.TrimSuffix(m[2], "*"))
				}
			}
		})
	}
	return list
}

// eachStatement finds the statements below a node, whatever conditions they
// stand in, with the scalars of their actions and resources.
func eachStatement(n *yaml.Node, f func(action, resource []string)) {
	if n.Kind == yaml.MappingNode {
		fields := map[string]*yaml.Node{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			fields[n.Content[i].Value] = n.Content[i+1]
		}
		if fields["Action"] != nil && fields["Resource"] != nil {
			f(scalars(fields["Action"]), scalars(fields["Resource"]))
			return
		}
	}
	for _, c := range n.Content {
		eachStatement(c, f)
	}
}

func scalars(n *yaml.Node) (list []string) {
	if n.Kind == yaml.ScalarNode {
		return []string{n.Value}
	}
	for _, c := range n.Content {
		list = append(list, scalars(c)...)
	}
	return list
}

// TestGrantsAreWhatTheTableSays looks whether each function may read exactly the
// secrets of which docs/configuration.md says so.
func TestGrantsAreWhatTheTableSays(t *testing.T) {
	grants := granted(t)
	text := section(t, read(t, guide), "Secrets")
	names := map[string]string{} // of parameters, by default
	for name, p := range loadTemplate(t).Parameters {
		if strings.HasSuffix(name, "Secret") && p.Default != "" {
			names[p.Default] = name
		}
	}
	said := map[string][]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(caseroom/[^`]+)` \\|[^|]*\\|([^|]*)\\|$").FindAllStringSubmatch(text, -1) {
		secret := names[m[1]]
		if below, ok := strings.CutPrefix(m[1], "caseroom/cronofy/"); ok {
			secret = "CronofySecret/" + strings.TrimSuffix(below, "<id>")
		}
		for function := range grants {
			if regexp.MustCompile(`\b` + function + `\b`).MatchString(m[2]) {
				said[function] = append(said[function], secret)
			}
		}
	}
	for _, function := range slices.Sorted(maps.Keys(grants)) {
		// Reconcile's admin secret is described in the row of the one that it
		// replaces.
		may := slices.DeleteFunc(grants[function], func(s string) bool { return s == "ZendeskAdminSecret" })
		slices.Sort(may)
		slices.Sort(said[function])
		if may = slices.Compact(may); !slices.Equal(may, said[function]) {
			t.Errorf("%s may read %v, and %s says %v", function, may, guide, said[function])
		}
	}
}
