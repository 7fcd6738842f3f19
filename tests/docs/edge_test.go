package docs

import (
	"go/ast"
	"strconv"
	"strings"
	"testing"
)

// TestAnswersLeaveInOnePlace wants the edge's one function to write statuses, one
// to log requests, and one table to say which status an error has.
func TestAnswersLeaveInOnePlace(t *testing.T) {
	const answer = "shared/api/answer.go"
	writes, logs := 0, 0
	for _, top := range []string{"shared", "functions"} {
		eachGoFile(t, top, func(file string, parsed *ast.File) {
			if strings.HasSuffix(file, "_test.go") || strings.Contains(file, "test/") {
				return
			}
			edge := under(file, []string{"shared/api", "functions"})
			for _, decl := range parsed.Decls {
				in := ""
				if f, ok := decl.(*ast.FuncDecl); ok {
					in = f.Name.Name
				}
				ast.Inspect(decl, func(n ast.Node) bool {
					switch n := n.(type) {
					case *ast.CallExpr:
						s, ok := n.Fun.(*ast.SelectorExpr)
						if !ok {
							return true
						}
						name := selector(s)
						switch {
						case s.Sel.Name == "WriteHeader" && file == answer && in == "answer":
							writes++
						case s.Sel.Name == "WriteHeader", name == "http.Error", name == "http.NotFound", name == "http.Redirect":
							t.Errorf("%s: %s writes a status; answer in %s does", file, in, answer)
						case edge && logged[name] && file == answer && in == "log":
							logs++
						case edge && logged[name]:
							t.Errorf("%s: %s logs; log in %s does, one line a request", file, in, answer)
						}
					case *ast.SelectorExpr:
						status, ok := strings.CutPrefix(selector(n), "http.Status")
						// A document may be one that the browser has, or elsewhere.
						if ok && edge && file != answer && status != "NotModified" && status != "Found" {
							t.Errorf("%s: %s decides on the status %s; an error's is in shared/problem's table", file, in, status)
						}
					case *ast.CompositeLit:
						if selector(n.Type) == "events.APIGatewayV2HTTPResponse" && len(n.Elts) > 0 {
							t.Errorf("%s: %s makes an answer past %s", file, in, answer)
						}
					}
					return true
				})
			}
		})
	}
	if writes != 1 || logs != 1 {
		t.Errorf("%s writes a status in %d places and logs a request in %d, want 1 and 1", answer, writes, logs)
	}
}

// logged are slog's functions that write a line.
var logged = map[string]bool{
	"slog.Debug": true, "slog.Info": true, "slog.Warn": true, "slog.Error": true, "slog.Log": true, "slog.LogAttrs": true,
	"slog.DebugContext": true, "slog.InfoContext": true, "slog.WarnContext": true, "slog.ErrorContext": true,
}

// TestAdapterIsKnownToOneFile keeps what works around API Gateway's adapter
// together.
func TestAdapterIsKnownToOneFile(t *testing.T) {
	for _, top := range []string{"shared", "functions"} {
		eachGoFile(t, top, func(file string, parsed *ast.File) {
			for _, spec := range parsed.Imports {
				imported, err := strconv.Unquote(spec.Path.Value)
				if err == nil && under(imported, []string{awsProxy}) && file != "shared/api/gateway.go" && !strings.HasSuffix(file, "_test.go") {
					t.Errorf("%s imports %s: only shared/api/gateway.go does", file, imported)
				}
			}
		})
	}
}
