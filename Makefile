# The two that matter: `make run` starts a relay, `make test` runs everything that CI runs.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test deps check unit long plain js page stale vet fmt tidy lint vuln build screenshots fuzz bench soak clean

export GO ?= go
# As released, and so that Go's own packages and the modules are compiled once for the program, its tests and the
# linters. Only the race detector needs cgo.
export CGO_ENABLED := 0
TOOL      := $(GO) tool -modfile=tools/go.mod
LOCKS     := -overlay "$$($(GO) run ./test/locks)"
# Nothing is shared by goroutines in the arithmetic of keys and signatures, and in what compares sounds: the race detector
# does not look into it. Nor into the codec, which took two thirds of the tests' time, and what works on samples, a
# quarter of the rest; but where they are tested themselves.
UNRACED   := crypto/internal/fips140/edwards25519/... crypto/internal/fips140/mlkem math \
             github.com/wzp-voice/wzp/internal/audio/speech
RACE      := -race $(UNRACED:%=-gcflags=%=-race=false)
NO_SOUND  := $(patsubst %,-gcflags=%=-race=false,github.com/thesyncim/gopus/... \
             github.com/wzp-voice/wzp/internal/audio github.com/wzp-voice/wzp/internal/jitter)
# Packages without goroutines.
QUIET     := ./internal/budget ./internal/callpath ./internal/jitter ./internal/missed ./internal/opus ./internal/presence \
             ./internal/routing ./internal/share ./internal/signalling
# Tests that run without the race detector, and those that run with it, too, but are tried more often without.
LARGE     := Scripts|Siege|CallSurvives|ManyTalkers|ManySoundAtOnce|FloodsAndOneQuiet|FloodOfManyNetworks|NarrowListener|LossyListener|StalledTalker|MediaFlood|UrgentFlood|InventedHomesFillNoRoom|AliasesBelowTheShare|AliasesOfChangingStreams|MoreTalkersThanAliases|ReportsAreCheap
OFTEN     := NewcomerHearsSoon|FirstWord|FirstWordsOfACrowd
FUZZTIME  ?= 20s
VERSION   ?=

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-6s %s\n", $$1, $$2}' Makefile

run: build ## Build bin/wzp, and start a relay with the defaults
	bin/wzp relay

test: deps check js plain long ## Run all checks and tests; installs what they need on Debian-like systems

deps: ## Install what the tests need beyond Go, when it is missing
	@bash tools/deps.sh

check: fmt tidy stale lint vuln ## Run the checks that need no tests

# Tests run with the race detector and with mutexes that know their place in the order of locks (CONTRIBUTING.md,
# "Locks"), but for these. The lint target vets all of them.
#   test             The program runs in processes of its own, where the detector would see nothing, and a search of
#                    their memory would take five times as long. Most scenarios wait, so four run at once.
#   QUIET            They start no goroutine; the tests that do run with the detector, which looks into the codec
#                    there, too.
#   LARGE            Crowds, floods and long talks of many do what smaller tests do with the detector: in TestSiege it
#                    is a thousand attackers. The detector took a quarter of its time for a dozen of them. In TestScripts
#                    each line starts the program, which takes long with it.
#                    A quarter of TestSiege's time went into collecting garbage: that is done less often. It takes
#                    as long as all others here, and runs beside them.
#   OFTEN            What they see depends on which packets are lost: they are tried a few times with the detector,
#                    and often without.
# What runs in virtual time does one thing at a time, and what does not waits for sound devices and sockets. So four
# packages run at once, each on one processor: on more, a sixth of the time went into waking them. With the race
# detector Go shuffles what runs next, and finds a race also between goroutines that take turns.
unit: long plain ## Run the tests with the race detector and the check of locks, and then the others

long:
	@$(GO) run ./test/locks >/dev/null
	CGO_ENABLED=1 GOMAXPROCS=1 $(GO) test -vet=off $(RACE) $(NO_SOUND) $(LOCKS) -p 4 -timeout 30m -skip '^Test($(LARGE))$$' \
		$$($(GO) list ./... | grep -v -e /test$$ -e /audio$$ $(QUIET:./%=-e /%$$))
	CGO_ENABLED=1 $(GO) test -vet=off $(RACE) $(LOCKS) ./internal/audio
	CGO_ENABLED=1 $(GO) test -vet=off $(RACE) $(LOCKS) -run 'Concurrent|SideBySide' $(QUIET)
	$(GO) test -vet=off -timeout 30m -parallel 4 ./test

plain:
	$(GO) test -vet=off $(QUIET)
	GOMAXPROCS=1 GOGC=300 $(GO) test -vet=off -timeout 30m -run '^TestSiege$$' ./internal/call & siege=$$! failed=; \
	GOMAXPROCS=1 GOGC=300 $(GO) test -vet=off -p 1 -timeout 30m -run '^Test($(LARGE)|$(OFTEN))$$' -skip '^TestSiege$$' \
		./internal/call ./internal/relay ./internal/room ./internal/federation ./internal/link ./cmd/wzp || failed=1; \
	wait $$siege && [[ -z $$failed ]]

js: ## Check the types of the page's JavaScript and run its tests, if there is Node.js 20
	@bash tools/js.sh

page: ## Build web/dist, the page that is embedded, from the sources in web/
	@bash tools/page.sh

stale: ## Fail when web/dist is not what the sources in web/ make
	@bash tools/page.sh --check
	cd tools && $(GO) test -vet=off ./page

vet: ## Run go vet alone, which is quick
	$(GO) vet ./...

fmt: ## Fail when a file is not formatted
	@files="$$(gofmt -l .)"; \
	if [[ -n "$$files" ]]; then echo "not formatted, run gofmt -w on:" $$files >&2; exit 1; fi

tidy: ## Fail when go.mod or go.sum is not tidy
	$(GO) mod tidy -diff

# Of its linters govet does what go vet does: so that is not run, too, but for the tools, which are a module of their own.
lint: ## Run golangci-lint; the first run builds it, about two minutes on two cores
	cd tools && $(GO) vet ./...
	$(TOOL) golangci-lint run --allow-parallel-runners ./...

vuln: ## Look for known vulnerabilities in what is called
	@bash tools/vuln.sh

# Never with the tag purego: it would take the assembly away from Go's own cryptography, too (internal/opus/doc.go).
build: ## Build bin/wzp without cgo; VERSION=v1.2.3 stamps a release
	$(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/wzp ./cmd/wzp

screenshots: ## Make docs/screenshots anew, with Chromium
	WZP_SCREENSHOTS=$(CURDIR)/docs/screenshots $(GO) test -count 1 -run TestScreenshots ./test

fuzz: ## Fuzz every target for FUZZTIME (20s) each
	@bash tools/fuzz.sh $(FUZZTIME)

soak: ## Measure calls: set-up at heavy loss, a thousand at once over three relays, and one over five
	WZP_MEASURE=1 $(GO) test -vet=off -count=1 -v -timeout 30m -run '^TestCallAtHeavyLoss$$' ./internal/call
	WZP_MEASURE=1 $(GO) test -vet=off -count=1 -v -timeout 30m -run '^Test(ManyCalls|CallOverFiveRelays)$$' ./test

bench: ## Run the benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...

clean: ## Remove what was built
	rm -rf bin
