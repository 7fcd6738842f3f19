# make help lists the targets. Nothing here needs Docker or an AWS account but
# deploy.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
SHELL := /bin/sh
.SHELLFLAGS := -eu -c

FUNCTIONS := $(patsubst functions/%/main.go,%,$(wildcard functions/*/main.go))

# The functions' processor, as template.yaml's parameter Architecture names it.
ARCH ?= arm64
GOARCH_arm64 := arm64
GOARCH_x86_64 := amd64
FUNCTION_GOARCH = $(or $(GOARCH_$(ARCH)),$(error ARCH is arm64 or x86_64, not $(ARCH)))

# What makes a function's binary small: no net/rpc mode of the Lambda runtime,
# no symbol table. SAM takes no flags for go1.x but passes the environment on.
SMALL := -tags=lambda.norpc '-ldflags=-s -w'

# The SAM CLI on the PATH, else the pinned one in .venv.
PINNED_SAM := .venv/bin/sam
SAM := $(or $(shell command -v sam 2>/dev/null),$(PINNED_SAM))
REGION ?= $(or $(AWS_REGION),$(AWS_DEFAULT_REGION),us-east-1)
# SAM asks for the region by AWS_DEFAULT_REGION only. Unset here, it is the one
# of samconfig.toml or of the AWS profile.
DEPLOY_REGION := $(if $(filter-out file,$(origin REGION)),$(REGION),$(AWS_REGION))
export SAM_CLI_TELEMETRY ?= 0

STATICCHECK_VERSION := v0.8.2
STATICCHECK := .tools/staticcheck-$(STATICCHECK_VERSION)

# What go vet runs, errorlint and gosec; and misspell, without its misses: a word
# that is misspelt on purpose, and one of another language.
LINT := .tools/lint
MISSPELL := .tools/misspell
MISSPELL_IGNORE := flexibel,momento

GOVULNCHECK_VERSION := v1.9.0
GOVULNCHECK := .tools/govulncheck-$(GOVULNCHECK_VERSION)
GITLEAKS_VERSION := v8.30.1
GITLEAKS := .tools/gitleaks-$(GITLEAKS_VERSION)

CYCLONEDX_VERSION := v1.10.0
CYCLONEDX := .tools/cyclonedx-gomod-$(CYCLONEDX_VERSION)

REDOCLY := tools/openapi/node_modules/.bin/redocly
export REDOCLY_TELEMETRY := off
export REDOCLY_SUPPRESS_UPDATE_NOTICE := true

SALESFORCE := clients/salesforce
SALESFORCE_TOOLS := $(SALESFORCE)/node_modules/.package-lock.json
WEB := clients/web
WEB_TOOLS := $(WEB)/node_modules/.package-lock.json

# The browser is the system's; CASEROOM_BROWSER names another. The shell without
# windows takes a third of the whole browser's time. Where there is neither and no
# apt-get, the tests in it are skipped, loudly; CI does not skip.
BROWSER_SHELL := chromium-headless-shell
BROWSERS := $(or $(CASEROOM_BROWSER),/usr/bin/$(BROWSER_SHELL) /usr/bin/chromium)

NPM_CI := npm ci --no-audit --no-fund --loglevel=error

GO_FILES = find . -type d \( -name node_modules -o -name '.?*' \) -prune -o -name '*.go' -print

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: run
run: ## run caseroom and its sandbox on this machine (DOCKER=1 for sam local; ARGS=--faults…)
	@echo 'make run: compiling, the first time for minutes, and side by side building the web clients …'
	@$(MAKE) --silent --jobs=2 run-web run-command
	@exec bin/caseroom run $(if $(filter 1 true yes on,$(DOCKER)),--docker) $(ARGS)

.PHONY: run-web
run-web:
	@if ! command -v npm >/dev/null; then echo 'There is no npm: a plain chat takes the place of the web clients.'; exit; fi; \
	$(MAKE) --silent $(WEB)/dist/widget.js || echo '*** The web clients do not build; the page does without them.'

# Compiled with the functions' flags, so that what they share is compiled once.
# To the null device nothing is linked.
.PHONY: run-command
run-command: export GOFLAGS := $(SMALL)
run-command: export CGO_ENABLED := 0
run-command:
	@go build -trimpath -o /dev/null ./cmd/caseroom ./functions/...
	@go build -trimpath -o bin/caseroom ./cmd/caseroom

# Build and deploy

.PHONY: build
build: $(FUNCTIONS:%=build-%) ## the functions' binaries: bin/<name>/bootstrap (ARCH=x86_64)

build-%: export GOFLAGS := $(SMALL)
build-%: export CGO_ENABLED := 0
build-%: FORCE
	GOOS=linux GOARCH=$(FUNCTION_GOARCH) go build -trimpath -o bin/$*/bootstrap ./functions/$*

.PHONY: sam-build
sam-build: export GOFLAGS := $(SMALL)
sam-build: export CGO_ENABLED := 0
sam-build: sam ## what sam deploy uploads: .aws-sam/build (ARCH=x86_64)
	@# SAM builds each function by itself: compile what they share once, not sixteen times.
	GOOS=linux GOARCH=$(FUNCTION_GOARCH) go build -trimpath -o /dev/null ./functions/...
	$(SAM) build $(if $(filter-out arm64,$(ARCH)),--parameter-overrides Architecture=$(ARCH))

.PHONY: monitoring
monitoring: ## write monitoring.yaml, the alarms and dashboards of template.yaml's functions and queues
	go run ./tools/monitoring template.yaml monitoring.yaml

.PHONY: validate
validate: sam ## check template.yaml with SAM and cfn-lint
	$(SAM) validate --lint --region $(REGION)

.PHONY: deploy
deploy: sam-build ## build and deploy (ENV=staging, REGION=…, ARGS=--guided)
	@if [ $(ARCH) != arm64 ] && ! { echo '$(ARGS)'; cat samconfig.toml; } | grep -q 'Architecture=$(ARCH)'; then \
		echo 'Built for $(ARCH), but the stack would say arm64: put Architecture=$(ARCH) into parameter_overrides in samconfig.toml.' >&2; exit 1; \
	fi
	$(if $(DEPLOY_REGION),AWS_DEFAULT_REGION=$(DEPLOY_REGION) )$(SAM) deploy --config-env $(or $(ENV),default) $(ARGS)

.PHONY: pages
pages: web ## upload the widget and the panel to a stack with Pages=on (STACK=caseroom ARGS=--config…)
	@go run ./cmd/caseroom pages --stack $(or $(STACK),caseroom) --region $(REGION) $(ARGS)

.PHONY: zendesk-app
zendesk-app: ## the zip of the Zendesk app (API=https://…, the stack's ApiUrl; ZENDESK=https://…)
	@go run ./cmd/caseroom zendesk-app --api $(or $(API),$(error API is missing: the output ApiUrl of the stack)) --zendesk '$(ZENDESK)' $(ARGS)

.PHONY: release
release: export GOFLAGS := $(SMALL)
release: web $(CYCLONEDX) ## what people install without Go or Node: dist/<tag>
	@go run ./tools/release $(CYCLONEDX)

# Test. Each stage is a target: make test-unit. Two lanes of them run side by
# side: the browser and Java leave a core free for much of their time.

LANES := format,lint,unit template,openapi,build,foreign,apex,web

.PHONY: test
test: export KEEP_GOING ?= $(CI)
test: ## everything CI checks, with the time of each stage (KEEP_GOING=1: also after a red one)
	@tools/stages tools $(LANES)

# How many busy processes test-stress runs beside the tests.
BUSY ?= 8

.PHONY: test-stress
test-stress: ## the same as CI, beside eight busy processes (BUSY=16)
	@tools/stress $(BUSY) .ci/run

.PHONY: test-tools
test-tools: sam chromium $(STATICCHECK) $(REDOCLY) $(SALESFORCE_TOOLS) $(WEB_TOOLS) tests/node/node_modules/.package-lock.json tests/python/.venv/.installed foreign-tools
	@go version && node --version && python3 --version && $(SAM) --version

.PHONY: test-format
test-format:
	@unformatted=$$($(GO_FILES) | xargs gofmt -l); \
	if [ -n "$$unformatted" ]; then echo "gofmt -w is needed (make fmt):"; echo "$$unformatted"; exit 1; fi
	@go mod tidy -diff

# With -race all of Go's own tools share what test-unit compiles.
.PHONY: test-lint
test-lint: $(STATICCHECK) $(LINT) $(MISSPELL)
	@GOFLAGS="$${GOFLAGS-} -race" go vet -vettool=$(CURDIR)/$(LINT) ./...
	@GOFLAGS="$${GOFLAGS-} -race" $(STATICCHECK) ./...
	@git ls-files -z '*.go' '*.md' '*.ts' '*.tsx' '*.js' '*.py' '*.yaml' '*.cls' '*.css' '*.html' | \
		xargs -0 $(MISSPELL) -error -i $(MISSPELL_IGNORE)

# The cross-checks against other libraries must run here, not be skipped. The
# time-out is for a test that hangs: a busy machine takes ten times as long.
.PHONY: test-unit
test-unit: export CASEROOM_REQUIRE_NODE := 1
test-unit: export CASEROOM_REQUIRE_PYTHON := 1
test-unit: export CASEROOM_E2E := 1
test-unit: tests/node/node_modules/.package-lock.json tests/python/.venv/.installed
	@# What several tests build at the same time is compiled once.
	@CGO_ENABLED=0 go build -trimpath -o /dev/null ./functions/... ./cmd/caseroom
	@go test -race -timeout 90m $(if $(CI),-count=1) ./...

.PHONY: test-template
test-template: validate

.PHONY: test-build
test-build: sam-build

.PHONY: test-openapi
test-openapi: $(REDOCLY)
	@$(REDOCLY) lint --config tools/openapi/redocly.yaml docs/openapi.yaml

# Against other people's AWS, clients and checkers.
.PHONY: test-foreign
test-foreign: export CASEROOM_FOREIGN := 1
test-foreign: foreign-tools
	@go test -timeout 10m $(if $(CI),-count=1) ./tests/foreign

# What can be checked of the Salesforce package without an org. Both halves of a
# two-core machine are used: PMD and the type check take a Java each.
.PHONY: test-apex
test-apex: $(SALESFORCE_TOOLS)
	@if ! tools/java/need.sh 17; then [ -z "$(CI)" ]; exit; fi; \
	$(MAKE) --no-print-directory --jobs=2 --output-sync=target test-apex-package test-apex-checks

.PHONY: test-apex-package
test-apex-package: $(SALESFORCE_TOOLS)
	@cd $(SALESFORCE) && npm run --silent check && npm run --silent lint && npm test --silent

.PHONY: test-apex-checks
test-apex-checks: $(SALESFORCE_TOOLS)
	@cd $(SALESFORCE) && out=$$(npm run --silent test:checks 2>&1) || { echo "$$out"; exit 1; }; \
	echo "$$out" | sed -n 's/^[^a-z]*\(pass [0-9]*\)$$/checks of the checks: \1/p'

.PHONY: test-web
test-web: web chromium
	@cd $(WEB) && npm run --silent check && npm run --silent typecheck && npm test --silent && npm run --silent test:browser

.PHONY: web
web: $(WEB_TOOLS) ## build the web pages: clients/web/dist
	@cd $(WEB) && npm run --silent build

.PHONY: screenshots
screenshots: web chromium ## take the guides' pictures again: docs/images
	@cd $(WEB) && npm run --silent screenshots

.PHONY: bench
bench: export GOFLAGS := $(SMALL)
bench: ## measure the functions against their targets (ARGS=-write: into docs/performance.md)
	@go run ./bench $(ARGS)

# What takes long: bench-scale a quarter of an hour at most, the others as long as asked.
DURATION ?= 10m

.PHONY: bench-scale
bench-scale: ## measure 10,000 tickets that change at once, into docs/performance.md
	@depths=$$(mktemp); trap 'rm -f "$$depths"' EXIT; \
	go test ./bench/scale -v -count=1 -timeout 1h -args -tickets 10000 -write -depths "$$depths"; \
	go run -C bench/plot . -in "$$depths" -out ../../docs/scale-queue.png

.PHONY: soak
soak: ## random histories of tickets for as long as asked (DURATION=30m)
	@go test ./tests/lifecycle -count=1 -timeout 0 -v -run 'TestSoak|TestOutage' -args -soak $(DURATION)

.PHONY: chaos
chaos: ## kill the local run's functions under load (DURATION=10m) and see that nothing is lost
	@go run ./tests/chaos/run -duration $(DURATION)

.PHONY: lint
lint: test-format test-lint test-template test-openapi ## the checks that run nothing

.PHONY: audit
audit: $(GOVULNCHECK) $(GITLEAKS) ## known vulnerabilities and leaked secrets; not part of test, whose verdict only a change may change
	@tools/audit $(GOVULNCHECK) $(GITLEAKS)

.PHONY: fmt
fmt: ## format the Go files and tidy go.mod
	$(GO_FILES) | xargs gofmt -w
	go mod tidy

.PHONY: clean
clean: ## remove what was built, but not the tools
	rm -rf bin .aws-sam

# Tools, pinned. Each lives in a folder that Git ignores.

.PHONY: sam
sam: $(filter $(PINNED_SAM),$(SAM))

$(PINNED_SAM): tools/sam/requirements.txt
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "The pinned SAM CLI needs Python 3.11 or later. Or put a sam of your own on the PATH.")'
	python3 -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check --no-input -r $<
	@touch $@

$(STATICCHECK):
	@mkdir -p .tools && echo '*' > .tools/.gitignore
	GOBIN=$(CURDIR)/.tools go install honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK_VERSION)
	@mv .tools/staticcheck $@

LINT_SOURCES := $(wildcard tools/lint/*)

$(LINT): $(LINT_SOURCES)
	@mkdir -p .tools && echo '*' > .tools/.gitignore
	@cd tools/lint && go mod tidy -diff && go vet ./...
	go build -C tools/lint -o $(CURDIR)/$@ .
	@touch $@

$(MISSPELL): $(LINT_SOURCES)
	@mkdir -p .tools && echo '*' > .tools/.gitignore
	go build -C tools/lint -o $(CURDIR)/$@ github.com/golangci/misspell/cmd/misspell
	@touch $@

$(GOVULNCHECK):
	@mkdir -p .tools && echo '*' > .tools/.gitignore
	GOBIN=$(CURDIR)/.tools go install golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION)
	@mv .tools/govulncheck $@

$(CYCLONEDX):
	@mkdir -p .tools && echo '*' > .tools/.gitignore
	GOFLAGS= GOBIN=$(CURDIR)/.tools go install github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@$(CYCLONEDX_VERSION)
	@mv .tools/cyclonedx-gomod $@

$(GITLEAKS):
	@mkdir -p .tools && echo '*' > .tools/.gitignore
	GOBIN=$(CURDIR)/.tools go install github.com/zricethezav/gitleaks/v8@$(GITLEAKS_VERSION)
	@mv .tools/gitleaks $@

$(REDOCLY): tools/openapi/package-lock.json
	cd tools/openapi && $(NPM_CI)
	@touch $@

$(SALESFORCE_TOOLS): $(SALESFORCE)/package-lock.json
	cd $(SALESFORCE) && $(NPM_CI)
	@touch $@

tests/node/node_modules/.package-lock.json: tests/node/package-lock.json
	cd tests/node && $(NPM_CI)
	@touch $@

tests/python/.venv/.installed: tests/python/requirements.txt
	python3 -m venv tests/python/.venv
	@echo '*' > tests/python/.venv/.gitignore
	tests/python/.venv/bin/pip install --quiet --disable-pip-version-check --no-input -r $<
	@touch $@

# ElasticMQ is Java's; without a Java and Maven its tests are skipped.
.PHONY: foreign-tools
ifneq ($(and $(shell command -v java),$(shell command -v mvn)),)
foreign-tools: tests/foreign/elasticmq/lib/.installed
else
foreign-tools:
	@echo '*** NOT CHECKED: the queues against ElasticMQ. It needs Java 17 and Maven on the PATH.'
endif
foreign-tools: tests/foreign/.venv/.installed tests/node/node_modules/.package-lock.json

tests/foreign/.venv/.installed: tests/foreign/requirements.txt
	python3 -m venv tests/foreign/.venv
	@echo '*' > tests/foreign/.venv/.gitignore
	tests/foreign/.venv/bin/pip install --quiet --disable-pip-version-check --no-input --require-hashes -r $<
	@touch $@

tests/foreign/elasticmq/lib/.installed: tests/foreign/elasticmq/pom.xml tests/foreign/elasticmq/SHA256SUMS
	@cd tests/foreign/elasticmq && rm -rf lib && mvn --batch-mode --quiet --strict-checksums \
		org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DincludeScope=runtime -DoutputDirectory=lib
	@cd tests/foreign/elasticmq/lib && echo '*' > .gitignore && sha256sum --quiet --check ../SHA256SUMS
	@touch $@

# What make run needs; make web always builds.
$(WEB)/dist/widget.js: $(WEB_TOOLS) $(shell find $(WEB)/src $(WEB)/public $(wildcard $(WEB)/*.html $(WEB)/*.ts) -type f)
	@echo 'building the widget and the panel …'
	@cd $(WEB) && npm run --silent build

$(WEB_TOOLS): $(WEB)/package-lock.json
	cd $(WEB) && $(NPM_CI)
	@touch $@

.PHONY: chromium
chromium:
	@if [ -x $(firstword $(BROWSERS)) ]; then exit 0; fi; \
	if [ -z "$(CASEROOM_BROWSER)" ] && command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(BROWSER_SHELL) >/dev/null; then exit 0; fi; \
	for b in $(BROWSERS); do if [ -x $$b ]; then exit 0; fi; done; \
	echo "*** There is no browser at $(BROWSERS): install chromium, or set CASEROOM_BROWSER."

.PHONY: FORCE
FORCE:
