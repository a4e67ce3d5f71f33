# Two commands do all the set-up there is: `make demo` and `make test`.
# Each installs what it lacks (as root) or names it (otherwise).

GO          ?= go
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2
# One package's tests at a time: browsers, sites and databases share the machine.
TESTFLAGS   ?= -race -p 1 -timeout 25m

.PHONY: all build demo test lint crashtest hostile soak bench generate clean

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

lint:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go' | grep -v '\.pb\.go$$')); \
	 if [ -n "$$unformatted" ]; then echo "not gofmt'd: $$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

# Kills the runner at every crash point, on SQLite and PostgreSQL: about 40 minutes.
crashtest:
	@.ci/setup build browser database
	ROLLCALL_EVERY_POINT=1 $(GO) test -count=1 -v -timeout 90m -run 'TestEveryCrashPoint|TestImportKilledAtCrashPoints' ./cmd/rollcall

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

# Prints benchstat format.
bench:
	@.ci/setup browser database
	$(GO) test -run '^$$' -bench . -benchmem -count $${COUNT:-1} ./core/... ./drivers/... ./cmd/...

generate:
	$(GO) generate ./...

clean:
	rm -rf bin
