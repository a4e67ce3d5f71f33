# Two commands do all the set-up there is: `make demo` and `make test`.
# Each installs what it lacks (as root) or names it (otherwise).

SHELL       := /bin/bash
GO          ?= go
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2
# Task JSON, the answers of both APIs, lists, TOML, mail, redaction, manifests.
FUZZ        ?= core/entity:FuzzDecode core/entity:FuzzAnswer core/hoola:FuzzRead core/hoola:FuzzAnswer core/config:FuzzLoad \
               core/mail:FuzzParse core/secret:FuzzRedact drivers/lua:FuzzLoad
# One package's tests at a time: browsers, sites and databases share the machine.
TESTFLAGS   ?= -race -p 1 -timeout 40m

.PHONY: all build demo test lint fuzz crashtest hostile soak bench bench-scale bench-peers generate clean

all: build

build:
	$(GO) build -trimpath -o bin/rollcall ./cmd/rollcall

demo:
	@.ci/setup browser
	@$(GO) build -o bin/rollcall ./cmd/rollcall
	bin/rollcall demo

test: lint
	@.ci/setup build browser sites mail database namespaces
	$(GO) build -race ./...
	$(GO) test $(TESTFLAGS) ./...
	cd examples/bench && $(GO) test $(TESTFLAGS) ./...
	$(GO) test -count=1 -timeout 10m -run 'TestSimulation$$' ./core/runner
	@FUZZTIME=2000x $(MAKE) --no-print-directory fuzz

# What reads text from outside, under the fuzzer: FUZZTIME for each target, a time or a count such as 2000x.
fuzz:
	@set -e; for t in $(FUZZ); do \
	 $(GO) test -run '^$$' -fuzz "^$${t#*:}\$$" -fuzztime $${FUZZTIME:-30s} -fuzzminimizetime 10x ./$${t%:*}; done

lint:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go' | grep -v '\.pb\.go$$')); \
	 if [ -n "$$unformatted" ]; then echo "not gofmt'd: $$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	cd examples/bench && $(GO) vet ./... && $(GO) run $(STATICCHECK) ./...

# At most one account, whatever breaks: SEEDS simulated lives, REPORTS reports through a bad network,
# every crash point on SQLite and PostgreSQL, KILLS kills at random moments, then a fleet of three with
# PAUSES pauses of twice the lease, FLEETKILLS kills and its database away TROUBLES times. Hours; goes on
# after a part that fails, and ends in a line of figures for each that did not. SEED=n replays.
crashtest:
	@.ci/setup build browser database
	@out=$$(mktemp); seed=$${SEED:-$$(date +%s)}; red=(); set -o pipefail; trap 'rm -f "$$out"' EXIT; \
	 part() { local name=$$1; shift; $(GO) test -count=1 -v "$$@" 2>&1 | grep --line-buffered -v level= | tee -a "$$out" || red+=("$$name"); }; \
	 part "simulated lives" -run 'TestSimulation$$' ./core/runner -sim.seeds=$${SEEDS:-10000}; \
	 part "reports" -timeout 2h -run 'TestOutboxUnderFaults' ./core/runner -outbox.reports=$${REPORTS:-10000} -outbox.seed=$$seed; \
	 ROLLCALL_EVERY_POINT=$${POINTS-1} part "crash points" -timeout 3h -run 'TestEveryCrashPoint|TestNothingLeavesBefore' ./cmd/rollcall; \
	 part "kills" -timeout 8h -run 'TestKillNineAtRandomMoments' ./cmd/rollcall -crash.kills=$${KILLS:-1000} -crash.seed=$$seed; \
	 part "fleet" -timeout 8h -run 'TestPausesUnderLoad' ./cmd/rollcall -fleet.runners=3 -fleet.pauses=$${PAUSES:-500} -fleet.kills=$${FLEETKILLS:-200} -fleet.troubles=$${TROUBLES:-20} -crash.seed=$$seed; \
	 echo "figures of $$(date +%F), SEED=$$seed:"; \
	 grep -hE '[0-9]+ (seeds in|reports delivered|flushes|crash points tried|kills,|runners,)' "$$out" | sed 's/^ *[a-z_0-9]*_test.go:[0-9]*: /  /'; \
	 for name in "$${red[@]}"; do echo "  RED: $$name"; done; [ $${#red[@]} -eq 0 ] || { grep -hE '^ *--- FAIL' "$$out"; exit 1; }

# Every hostile driver and site, in a network namespace of their own; ends in one line of figures.
hostile:
	@.ci/setup build browser namespaces
	@figures=$$(mktemp); trap 'rm -f "$$figures"' EXIT; \
	 ROLLCALL_HOSTILE=1 ROLLCALL_FIGURES=$$figures $(GO) test -count=1 -timeout 30m -run TestHostile ./drivers/lua ./cmd/rollcall && paste -sd ';' "$$figures"

# 5,000 tasks through one runner and its browser, of which nothing may grow: about an hour; TASKS=400 for fewer.
soak:
	@.ci/setup build browser
	@figures=$$(mktemp); trap 'rm -f "$$figures"' EXIT; \
	 ROLLCALL_FIGURES=$$figures $(GO) test -count=1 -timeout 6h -run TestSoak ./cmd/rollcall -soak.tasks $${TASKS:-5000} && cat "$$figures"

# What everything costs, in benchstat format; COUNT=6 for comparisons, LIVES=500 for a quick look. On an idle machine under 20 minutes.
bench:
	@.ci/setup browser database
	@.ci/machine
	$(GO) test -run '^$$' -bench . -benchmem -benchtime $${LIVES:-2000}x -timeout 2h -count $${COUNT:-1} ./core/ledger ./core/runner
	$(GO) test -run '^$$' -bench 'Start10000' -benchmem -benchtime 3x -timeout 1h -count $${COUNT:-1} ./drivers ./cmd/rollcall
	$(GO) test -run '^$$' -bench 'Plain/engine=http' -benchtime $${LIVES:-2000}x -timeout 1h -count $${COUNT:-1} ./cmd/rollcall
	$(GO) test -run '^$$' -bench 'Board|Plain/engine=browser' -benchtime 60x -timeout 1h -count $${COUNT:-1} ./cmd/rollcall
	$(GO) test -run '^$$' -bench '^Benchmark([^S]|S[^t]|Start$$|Starts)' -benchmem -timeout 1h -count $${COUNT:-1} \
	 $$($(GO) list ./core/... ./drivers/... | grep -v -e /core/ledger -e /core/runner)

# What one task costs the core with up to a million tasks in the ledger, and a fleet on one PostgreSQL, drawn (docs/scale.md).
bench-scale:
	@.ci/setup database
	@.ci/machine
	@$(GO) test -run '^$$' -bench '^Benchmark(TaskLife|Task|Fleet)$$/' -benchtime $${LIVES:-2000}x -timeout 2h -count $${COUNT:-1} ./core/ledger ./core/runner | .ci/plot

# One flow in rollcall and in six libraries, side by side: tasks a minute, processor time, memory (docs/benchmarks.md).
# ROUNDS, CONC="1 2 4 8", TASKS of a run, PEERS="rollcall rod" (also reuse, http; the first is compared with the rest), BROWSER=path; ROUNDS=1 CONC=2 TASKS=6 is a quick look.
bench-peers:
	@.ci/setup browser peers
	@command -v npm > /dev/null || .ci/setup node
	@mkdir -p bin/bench/node && cp examples/bench/node/*.mjs examples/bench/node/*.json bin/bench/node/
	$(GO) build -trimpath -o bin/bench/ ./cmd/rollcall
	cd examples/bench && $(GO) build -trimpath -o ../../bin/bench/ . ./rod ./chromedp
	@cd bin/bench/node && { cmp -s package-lock.json node_modules/.installed || { PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 PUPPETEER_SKIP_DOWNLOAD=1 \
	 npm ci --ignore-scripts --no-fund --no-audit --loglevel=error && cp package-lock.json node_modules/.installed; }; }
	bin/bench/bench -dir bin/bench -rounds $${ROUNDS:-5} -conc "$${CONC:-1 2 4 8}" -tasks $${TASKS:-0} -peers "$${PEERS:-}" -browser "$${BROWSER:-/usr/lib/chromium/chromium-headless-shell}"

generate:
	$(GO) generate ./...

clean:
	rm -rf bin
