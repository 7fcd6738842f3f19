// Command lint holds the checks of "make test-lint" that look at one package at a
// time. It is a tool for "go vet -vettool", which caches what passed. The
// layers of the code are checked by tests/docs instead, whose messages name the
// rule that an import breaks.
package main

import (
	"path/filepath"
	"strings"

	"github.com/polyfloyd/go-errorlint/errorlint"
	"github.com/securego/gosec/v2/goanalysis"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/suite/vet"
	"golang.org/x/tools/go/analysis/unitchecker"
)

func main() {
	unitchecker.Main(append(vet.Suite, errorlint.NewAnalyzer(), gosec())...)
}

// rules are gosec's that hold for an edge, its vendors and an operator's command.
// Left out are those about files and processes that the operator names, and those
// that guess secrets by their names: gitleaks reads every commit.
var rules = []string{
	"G102", // a listener on all interfaces
	"G106", // SSH without host keys
	"G108", // pprof on the public server
	"G109", // a number that Atoi read, cut to fewer bits
	"G110", // an archive unpacked without a bound
	"G112", // a server without a time-out for headers
	"G114", // one without any
	"G115", // a number cut to fewer bits, or turned to its negative
	"G124", // a cookie that scripts or plain HTTP can read
	"G401", // weak hashes
	"G402", // TLS that trusts anybody
	"G403", // short RSA keys
	"G404", // guessable randomness
	"G405", // weak ciphers
	"G407", // fixed nonces
	"G704", // a caller's URL requested
	"G710", // a caller's URL redirected to
}

// shipped is the code that gosec sees. Stand-ins speak the vendors' weak hashes,
// and tests forge what the rules forbid.
var shipped = []string{"shared", "functions", "cmd"}

func gosec() *analysis.Analyzer {
	a := goanalysis.Analyzer
	run := a.Run
	a.Run = func(pass *analysis.Pass) (any, error) {
		if !ships(pass.Pkg.Path()) {
			return nil, nil
		}
		report := pass.Report
		pass.Report = func(d analysis.Diagnostic) {
			if file := pass.Fset.Position(d.Pos).Filename; !strings.HasSuffix(filepath.Base(file), "_test.go") {
				report(d)
			}
		}
		return run(pass)
	}
	if err := a.Flags.Set("include", strings.Join(rules, ",")); err != nil {
		panic(err)
	}
	return a
}

func ships(pkg string) bool {
	for _, top := range shipped {
		if strings.HasPrefix(pkg, "github.com/caseroom/caseroom/"+top+"/") {
			return true
		}
	}
	return false
}
