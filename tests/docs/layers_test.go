package docs

import (
	"errors"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/caseroom/caseroom/"

// A layer says what a package's code, its tests aside, may not import. Paths of
// this module are written without its name; a path stands for all below it.
type layer struct {
	rule      string
	packages  []string
	except    []string // packages to which the rule does not apply
	forbidden []string
	allowed   []string // of what is forbidden
}

const (
	awsSDK   = "github.com/aws/aws-sdk-go-v2"
	awsProxy = "github.com/awslabs/aws-lambda-go-api-proxy"
	userSig  = "github.com/tencentyun/tls-sig-api-v2-golang"
)

var vendors = []string{"shared/zendesk", "shared/salesforce", "shared/tencentim", "shared/cronofy"}

// standIns are the vendors' stand-ins.
var standIns = []string{
	"local/sandbox/zendesk", "local/sandbox/salesforce", "local/sandbox/tencent", "local/sandbox/cronofy", "local/sandbox/aws",
}

// awsPackages are the ones that know AWS.
var awsPackages = []string{"shared/awsenv", "shared/sqsqueue", "shared/s3archive", "shared/secrets", "shared/connections"}

var startUp = []string{"shared/boot", "shared/config"}

var layers = []layer{
	{
		rule:      "What functions link knows nothing of what only a developer's machine or an operator runs.",
		packages:  []string{"shared", "functions"},
		forbidden: []string{"local", "cmd", "tests", "bench", "tools"},
	},
	{
		rule:      "The command is nobody's library.",
		packages:  []string{"local", "tests"},
		forbidden: []string{"cmd"},
	},
	{
		rule:      "relay imports no vendor, no AWS package and no HTTP.",
		packages:  []string{"shared/relay"},
		forbidden: []string{"shared", "net/http", "github.com/aws", "github.com/awslabs", userSig},
		allowed:   []string{"shared/identity", "shared/problem", "shared/upstream"},
	},
	{
		rule:      "calendar imports no vendor, no AWS package and no HTTP.",
		packages:  []string{"shared/calendar"},
		forbidden: []string{"shared", "net/http", "github.com/aws", "github.com/awslabs"},
		allowed:   []string{"shared/relay", "shared/identity", "shared/login/jws", "shared/upstream"},
	},
	{
		rule:      "Vendors do not know each other, AWS, the HTTP edge, or where their settings come from.",
		packages:  vendors,
		forbidden: slices.Concat(vendors, awsPackages, startUp, []string{"shared/api", "shared/worker", "github.com/aws"}),
	},
	{
		rule:      "The HTTP edge and the worker reach vendors through relay and calendar.",
		packages:  []string{"shared/api", "shared/worker"},
		forbidden: slices.Concat(vendors, startUp),
	},
	{
		rule:      "An adapter to AWS knows AWS, and no more of us than what it carries.",
		packages:  awsPackages,
		forbidden: slices.Concat(vendors, startUp, []string{"shared/api", "shared/worker"}),
	},
	{
		rule:      "A queue does not know what its messages mean.",
		packages:  []string{"shared/sqsqueue"},
		forbidden: []string{"shared/relay", "shared/calendar"},
	},
	{
		rule:      "The HTTP edge reaches AWS through interfaces of its own.",
		packages:  []string{"shared/api"},
		forbidden: append(slices.Clone(awsPackages), awsSDK),
	},
	{
		rule:      "Proofs and vocabularies stand on nothing of ours but each other.",
		packages:  []string{"shared/identity", "shared/problem", "shared/upstream", "shared/webhook", "shared/chatwebhook", "shared/chatjwt", "shared/session", "shared/login"},
		except:    []string{"shared/upstream/upstreamtest"},
		forbidden: []string{"shared", "github.com/aws"},
		allowed:   []string{"shared/identity", "shared/problem", "shared/upstream", "shared/login/jws"},
	},
	{
		rule:      "A function links only the vendors its main names, so boot itself names none.",
		packages:  []string{"shared/boot"},
		except:    []string{"shared/boot/bootdesks", "shared/boot/bootzendesk", "shared/boot/bootsalesforce", "shared/boot/boottencent", "shared/boot/bootcronofy"},
		forbidden: vendors,
	},
	{
		rule:      "UserSigs are made by identity's signer, and by tencentim for the app's own admin.",
		packages:  []string{"shared", "functions", "cmd"},
		except:    []string{"shared/identity", "shared/tencentim"},
		forbidden: []string{userSig},
	},
	{
		rule:      "API Gateway's adapter is known to the HTTP edge alone.",
		packages:  []string{"shared", "functions", "cmd", "local"},
		except:    []string{"shared/api"},
		forbidden: []string{awsProxy},
	},
	{
		rule:      "A start costs every caller: no SDK config package in a function.",
		packages:  []string{"shared", "functions"},
		forbidden: []string{awsSDK + "/config", awsSDK + "/credentials"},
	},
	{
		rule:      "Of the command, only the local run knows the stand-ins and the local Lambda.",
		packages:  []string{"cmd"},
		except:    []string{"cmd/caseroom/internal/localrun"},
		forbidden: []string{"local"},
	},
	{
		rule:      "The command's internal packages do not know the local run.",
		packages:  []string{"cmd/caseroom/internal"},
		except:    []string{"cmd/caseroom/internal/localrun"},
		forbidden: []string{"cmd/caseroom/internal/localrun"},
	},
	{
		rule:      "A stand-in knows the engine and no other stand-in; the engine knows none.",
		packages:  append(slices.Clone(standIns), "local/sandbox/engine"),
		forbidden: []string{"local/sandbox"},
		allowed:   []string{"local/sandbox/engine"},
	},
	{
		rule:      "A stand-in shares no code with the client that is tested against it.",
		packages:  []string{"local"},
		forbidden: slices.Concat(vendors, awsPackages, startUp, []string{"shared/relay", "shared/api", "shared/worker", "shared/calendar"}),
	},
}

// under reports whether an import path is one of the listed ones or below one.
func under(importPath string, list []string) bool {
	return slices.ContainsFunc(list, func(p string) bool { return importPath == p || strings.HasPrefix(importPath, p+"/") })
}

func (l layer) binds(pkg string) bool { return under(pkg, l.packages) && !under(pkg, l.except) }

// refuses reports whether a package may not import another. Its own path, and
// what is below it, every package may.
func (l layer) refuses(pkg, imported string) bool {
	return l.binds(pkg) && under(imported, l.forbidden) && !under(imported, l.allowed) && !under(imported, []string{pkg})
}

func TestLayers(t *testing.T) {
	for pkg, imports := range importsOf(t) {
		for _, l := range layers {
			for _, imported := range imports {
				if l.refuses(pkg, imported) {
					t.Errorf("%s imports %s: %s", pkg, imported, l.rule)
				}
			}
		}
	}
}

// TestLayersAreReal wants every rule to bind some package, and every path of
// this module in it to be one: a package that moved takes its rules along.
func TestLayersAreReal(t *testing.T) {
	packages := slices.Collect(maps.Keys(importsOf(t)))
	for _, l := range layers {
		for _, p := range slices.Concat(l.packages, l.except, l.forbidden, l.allowed) {
			first, _, _ := strings.Cut(p, "/")
			if strings.Contains(first, ".") || p == "net/http" {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, p)); err != nil && !strings.HasSuffix(p, "test") {
				t.Errorf("%q names %s, which does not exist", l.rule, p)
			}
		}
		bound := slices.DeleteFunc(slices.Clone(packages), func(p string) bool { return !l.binds(p) })
		if len(bound) == 0 {
			t.Errorf("%q binds no package", l.rule)
			continue
		}
		for _, imported := range l.forbidden {
			if !slices.ContainsFunc(bound, func(p string) bool { return l.refuses(p, imported+"/x") }) {
				t.Errorf("%q would let everybody import %s", l.rule, imported)
			}
		}
	}
}

// TestSharedIsWhatFunctionsLink wants every package of shared/ in some
// function. Helpers of tests, whose names end in test, are the exception.
func TestSharedIsWhatFunctionsLink(t *testing.T) {
	imports := importsOf(t)
	linked := map[string]bool{}
	var link func(pkg string)
	link = func(pkg string) {
		if linked[pkg] {
			return
		}
		linked[pkg] = true
		for _, imported := range imports[pkg] {
			link(imported)
		}
	}
	for pkg := range imports {
		if under(pkg, []string{"functions"}) {
			link(pkg)
		}
	}
	for pkg := range imports {
		if helper := strings.HasSuffix(pkg, "test"); under(pkg, []string{"shared"}) && linked[pkg] == helper {
			t.Errorf("%s: linked into a function: %t; shared/ holds what functions link, and tests' helpers, which they do not", pkg, linked[pkg])
		}
	}
}

// TestCommandWithoutLocalRun compiles the command with the tag norun, which must
// leave the stand-ins and the local Lambda out.
func TestCommandWithoutLocalRun(t *testing.T) {
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-export", "-tags", "norun", "-f", "{{.ImportPath}}", "./cmd/caseroom")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			err = errors.New(string(failed.Stderr))
		}
		t.Fatal(err)
	}
	for _, pkg := range strings.Fields(string(out)) {
		if own := strings.TrimPrefix(pkg, module); under(own, []string{"local", "cmd/caseroom/internal/localrun"}) {
			t.Errorf("with the tag norun the command links %s", own)
		}
	}
}

// importsOf reads what each package of the module imports, tests aside. Paths
// are without the module's name.
func importsOf(t *testing.T) map[string][]string {
	t.Helper()
	imports := map[string][]string{}
	for _, top := range []string{"bench", "cmd", "functions", "local", "shared", "tests", "tools"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(file string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".")):
				return filepath.SkipDir
			case d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go"):
				return nil
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(root, file)
			if err != nil {
				return err
			}
			pkg := path.Dir(filepath.ToSlash(rel))
			if imports[pkg] == nil {
				imports[pkg] = []string{} // one that imports nothing is a package too
			}
			for _, spec := range parsed.Imports {
				imported, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					return err
				}
				imports[pkg] = append(imports[pkg], strings.TrimPrefix(imported, module))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(imports) < 20 {
		t.Fatalf("only %d packages found", len(imports))
	}
	return imports
}
