module github.com/caseroom/caseroom/tools/lint

go 1.26.0

require (
	github.com/polyfloyd/go-errorlint v1.8.0
	github.com/securego/gosec/v2 v2.30.0
	golang.org/x/tools v0.52.0
)

require (
	github.com/ccojocar/zxcvbn-go v1.0.4 // indirect
	github.com/golangci/misspell v0.8.0 // indirect
	golang.org/x/mod v0.42.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
)

tool github.com/golangci/misspell/cmd/misspell
