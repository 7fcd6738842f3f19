package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// constructed are the things that only shared/boot makes of a stack's settings.
var constructed = []string{
	"zendesk.New", "zendesk.NewChat", "salesforce.New", "tencentim.New", "cronofy.New", "cronofy.Calendars",
	"relay.CreateTicket", "relay.Members", "relay.Dissolve", "relay.Sync", "relay.Reconcile", "relay.Sweep", "relay.Transcripts",
	"zendesk.Desk", "zendesk.SyncDesk", "salesforce.Desk", "salesforce.SyncDesk",
	"s3archive.New", "sqsqueue.New", "worker.Mailbox", "connections.Secrets", "connections.Feeds", "calendar.Settings",
}

// TestOneWiring wants functions, the command and the tests of whole stacks to
// make their objects by shared/boot's constructors, so that none misses a setting.
func TestOneWiring(t *testing.T) {
	// What a test puts in a queue, or at a desk, past every function.
	except := map[string][]string{
		"tests/world/functions.go":  {"sqsqueue.New"},
		"cmd/caseroom/sync_test.go": {"zendesk.Desk"},
	}
	for _, top := range []string{"functions", "cmd", "tests", "bench"} {
		eachGoFile(t, top, func(file string, parsed *ast.File) {
			ast.Inspect(parsed, func(n ast.Node) bool {
				var made ast.Expr
				switch n := n.(type) {
				case *ast.CallExpr:
					made = n.Fun
				case *ast.CompositeLit:
					made = n.Type
				default:
					return true
				}
				if generic, ok := made.(*ast.IndexExpr); ok {
					made = generic.X
				}
				name := selector(made)
				for _, c := range constructed {
					if name == c && !under(name, except[file]) {
						t.Errorf("%s makes %s itself; shared/boot has the constructor", file, name)
					}
				}
				return true
			})
		})
	}
}

// TestSettingsAreNamedByGroup wants a main to say env.Guests.On, never env.On.
func TestSettingsAreNamedByGroup(t *testing.T) {
	eachGoFile(t, "functions", func(file string, parsed *ast.File) {
		groups := map[string]bool{}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if s, ok := n.(*ast.StructType); ok {
				for _, f := range s.Fields.List {
					if group, ok := strings.CutPrefix(selector(f.Type), "config."); ok && len(f.Names) == 0 {
						groups[group] = true
					}
				}
			}
			return true
		})
		if len(groups) == 0 {
			t.Errorf("%s embeds no group of settings", file)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if e, ok := n.(ast.Expr); ok {
				if setting, ok := strings.CutPrefix(selector(e), "env."); ok && !groups[setting] {
					t.Errorf("%s: env.%s does not name its group", file, setting)
				}
			}
			return true
		})
	})
}

// selector returns x.y as written, "" for any other expression.
func selector(e ast.Expr) string {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	x, ok := s.X.(*ast.Ident)
	if !ok {
		return ""
	}
	return x.Name + "." + s.Sel.Name
}

// eachGoFile parses the Go files below a folder of the module, tests too.
func eachGoFile(t *testing.T, top string, see func(file string, parsed *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(root, top), func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || d.Name() == ".venv"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(file, ".go"):
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		see(filepath.ToSlash(rel), parsed)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
