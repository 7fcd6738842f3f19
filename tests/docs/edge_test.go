package docs

import (
	"go/ast"
	"strconv"
	"strings"
	"testing"
)

// TestStatusesLeaveInOnePlace wants every status and header block of an answer to
// be written by the edge's one function, and every request logged there.
func TestStatusesLeaveInOnePlace(t *testing.T) {
	writes := 0
	for _, top := range []string{"shared", "functions"} {
		eachGoFile(t, top, func(file string, parsed *ast.File) {
			if strings.HasSuffix(file, "_test.go") || strings.Contains(file, "test/") {
				return
			}
			for _, decl := range parsed.Decls {
				f, ok := decl.(*ast.FuncDecl)
				if !ok {
					continue
				}
				ast.Inspect(f, func(n ast.Node) bool {
					switch n := n.(type) {
					case *ast.CallExpr:
						s, ok := n.Fun.(*ast.SelectorExpr)
						switch {
						case !ok:
						case s.Sel.Name == "WriteHeader" && file == "shared/api/answer.go" && f.Name.Name == "answer":
							writes++
						case s.Sel.Name == "WriteHeader", selector(s) == "http.Error", selector(s) == "http.NotFound", selector(s) == "http.Redirect":
							t.Errorf("%s: %s writes a status; answer in shared/api does", file, f.Name.Name)
						}
					case *ast.CompositeLit:
						if selector(n.Type) == "events.APIGatewayV2HTTPResponse" && len(n.Elts) > 0 {
							t.Errorf("%s: %s makes an answer past shared/api's", file, f.Name.Name)
						}
					}
					return true
				})
			}
		})
	}
	if writes != 1 {
		t.Errorf("answer in shared/api writes a status in %d places, want 1", writes)
	}
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
