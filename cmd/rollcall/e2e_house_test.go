package main_test

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/ledger"
	"github.com/rollcall-run/rollcall/core/secret"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// binary is the rollcall that these tests run, and temporary the directory for
// what it leaves behind.
var binary, temporary string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	var err error
	if temporary, err = os.MkdirTemp("/tmp", "e2e-"); err == nil {
		defer os.RemoveAll(temporary)
		err = os.Chmod(temporary, 0o711)
	}
	if err == nil {
		err = build()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

func build() error {
	if binary = os.Getenv(binaryEnv); binary != "" {
		return nil
	}
	binary = filepath.Join(temporary, "rollcall")
	args := []string{"build", "-buildvcs=false", "-o", binary}
	if raceFlag {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, ".")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("build rollcall: %w\n%s", err, out)
	}
	return os.Chmod(binary, 0o755)
}

// patience is how long a test waits for something that must happen.
const patience = 120 * time.Second

// settings of a world. The zero value is a good one.
type settings struct {
	sandbox     sandbox.Options
	store       string // defaults to an own SQLite file
	slots       int    // defaults to 3
	concurrency int    // of each site; defaults to slots
	more        string // added to the configuration
	scripts     func(name, text string) string
}

// world is everything outside the runner, and the files that a runner starts with.
type world struct {
	t     *testing.T
	sb    *sandbox.Sandbox
	dir   string
	o     settings
	last  atomic.Int64
	tasks []sandbox.Task

	scanned time.Duration // spent on looking for secrets
}

func newWorld(t *testing.T, o settings) *world {
	t.Helper()
	if o.slots == 0 {
		o.slots = 3
	}
	if o.concurrency == 0 {
		o.concurrency = o.slots
	}
	o.sandbox.APIKey, o.sandbox.MailPassword = cmp.Or(o.sandbox.APIKey, canaryAPIKey), cmp.Or(o.sandbox.MailPassword, canaryMail)
	sb, err := sandbox.Start(context.Background(), o.sandbox)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Errorf("the sandbox: %v", err)
		}
	})
	w := &world{t: t, sb: sb, dir: t.TempDir(), o: o}
	w.write("entity.key", sb.Manager.APIKey+"\n")
	w.write("seal.key", canaryMaster+"\n")
	t.Cleanup(func() {
		w.noSecrets("at the end")
		t.Logf("looked for secrets for %s", w.scanned.Round(time.Millisecond))
	})
	for name, text := range sandbox.Scripts() {
		if o.scripts != nil {
			text = o.scripts(name, text)
		}
		w.write("scripts/"+name, text)
	}
	return w
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) write(name, text string) {
	w.t.Helper()
	path := w.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// store is the address of the ledger.
func (w *world) store() string {
	if w.o.store != "" {
		return w.o.store
	}
	return "sqlite:" + w.path("ledger/rollcall.db")
}

// config writes name.toml, for a runner whose state is in name/. Each pair of
// edits replaces a text that must be there.
func (w *world) config(name string, edits ...string) string {
	w.t.Helper()
	text := fmt.Sprintf(`
[state]
dir = %q
[entity]
base_url = %q
api_key = "file:entity.key"
poll = "1s"
timeout = "20s"
[store]
url = %q
key = "file:seal.key"
[browser]
slots = %d
[drivers]
scripts = ["scripts"]
[assets]
allow = ["127.0.0.1"]
[mail]
hold = "2s"
[mail."*"]
imap = %q
password = ["{app_password}"]
[retry]
attempts = 50
backoff_min = "100ms"
backoff_max = "300ms"
pause_after = 1000
report_min = "100ms"
report_max = "300ms"
[lease]
duration = "2s"
heartbeat = "500ms"
[limits]
worker_mb = 2048
[log]
format = "json"
`, name, w.sb.Manager.URL, w.store(), w.o.slots, w.sb.Mail.URL)
	for _, s := range []*sandbox.Site{w.sb.Board, w.sb.Community} {
		text += fmt.Sprintf("[sites.%q]\nallowed = \"owner\"\nbase_url = %q\npace = { every = \"1ms\", concurrency = %d }\n", s.Domain, s.URL, w.o.concurrency)
	}
	text += w.o.more
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			w.t.Fatalf("the configuration has no %q", edits[i])
		}
		text = strings.Replace(text, edits[i], edits[i+1], 1)
	}
	w.write(name+".toml", text)
	return w.path(name + ".toml")
}

// edit is strings.Replace of a text that must be there.
func edit(t *testing.T, text, old, new string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("there is no %q to replace", old)
	}
	return strings.Replace(text, old, new, 1)
}

// own makes the drivers those of an operator who owns the sites: a login that
// fails proves that there is no account, once settle has passed. An answer to a
// sign-up is awaited for at most answer.
func own(t *testing.T, settle, answer string) func(name, text string) string {
	return func(name, text string) string {
		switch name {
		case "board.lua":
			text = edit(t, text, `settle = "30s"`, `settle = "`+settle+`"`)
			return edit(t, text, `refused = "role=alert" })`, `refused = "role=alert", timeout = "`+answer+`" })`)
		case "community.lua":
			text = edit(t, text, `needs = {`, `probe = { authoritative = true, settle = "`+settle+`" }, needs = {`)
			return edit(t, text, `refused = "role=alert" })`, `refused = "role=alert", timeout = "`+answer+`" })`)
		}
		return text
	}
}

// add gives the task manager n tasks of a site: sign-ups, or links for accounts
// that exist already.
func (w *world) add(s *sandbox.Site, status string, n int) []sandbox.Task {
	var out []sandbox.Task
	for range n {
		i := w.last.Add(1)
		user := fmt.Sprintf("%s%03d", s.Name, i)
		t := sandbox.Task{
			ID: fmt.Sprintf("5a9d0b00-0000-4000-8000-%012d", i), RequestID: "5a9d0b00-0000-4000-9000-000000000001", Domain: s.Domain,
			Email: user + "@mail.sandbox.test", Username: user, AppPassword: w.sb.Mail.Password, Password: canaryPassword + user,
			FirstName: "An", LastName: fmt.Sprintf("Trần %d", i), Website: "https://example.com/" + user, About: "<p>" + user + " writes.</p>",
			Location: "Hà Nội", Status: status,
		}
		if status == sandbox.StateConnect {
			t.EntityConnect = []string{"https://wiki.example/User:" + user}
			s.AddAccount(sandbox.Account{Username: user, Email: t.Email, Password: t.Password, Confirmed: true})
		}
		out = append(out, t)
	}
	w.tasks = append(w.tasks, out...)
	w.sb.Manager.Add(out...)
	return out
}

// ended reports whether the task manager has the task where the runner wants it.
func (w *world) ended(t sandbox.Task) bool {
	s, ok := w.sb.Manager.Task(t.ID)
	return ok && s.Status == wanted(t)
}

func wanted(t sandbox.Task) string {
	if t.Status == sandbox.StateConnect {
		return sandbox.StateCompleted
	}
	return sandbox.StateProfiled
}

// open counts the tasks that are not there yet.
func (w *world) open() int {
	n := 0
	for _, t := range w.tasks {
		if !w.ended(t) {
			n++
		}
	}
	return n
}

// ledger opens the ledger, when no runner has it.
func (w *world) ledger() *ledger.Ledger {
	w.t.Helper()
	keys, err := secret.Load("file:" + w.path("seal.key"))
	if err != nil {
		w.t.Fatal(err)
	}
	l, err := ledger.Open(w.t.Context(), ledger.Options{URL: w.store(), Keys: keys})
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

func (w *world) record(id string) core.Record {
	w.t.Helper()
	l := w.ledger()
	defer l.Close()
	rec, err := l.Task(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return rec
}

// await waits until the task manager has every task where it should be, and on
// PostgreSQL until the ledger knows: a report whose runner was killed after it had
// taken effect is settled when that one's claim of it ends.
func (w *world) await(r *running) {
	w.t.Helper()
	w.until(r, "all tasks are done", func() bool { return w.open() == 0 })
	if w.o.store == "" {
		return // a new owner of a SQLite ledger ends the claims of the one before
	}
	l := w.ledger()
	defer l.Close()
	changed, unsubscribe := l.Subscribe()
	defer unsubscribe()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	defer context.AfterFunc(r.ctx, cancel)()
	for {
		sites, err := l.Summary(ctx)
		if err != nil {
			w.t.Fatalf("waiting until every report is settled: %v\n%s", err, r.tail())
		}
		left := 0
		for _, s := range sites {
			left += s.States[core.Reporting]
		}
		if left == 0 {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			w.t.Fatalf("%d reports are not settled\n%s", left, r.tail())
		}
	}
}

// until waits for something at the task manager, while the runner runs.
func (w *world) until(r *running, what string, ok func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	defer context.AfterFunc(r.ctx, cancel)()
	if err := w.sb.Manager.Wait(ctx, func(*sandbox.Manager) bool { return ok() }); err != nil {
		w.t.Fatalf("waiting until %s: %v\n%s", what, err, r.tail())
	}
}

// gate holds what reaches it until it is opened.
type gate struct {
	reached chan struct{}
	opened  chan struct{}
	once    sync.Once
}

// newGate returns a gate that opens at the end of the test at the latest.
func newGate(t *testing.T) *gate {
	g := &gate{reached: make(chan struct{}), opened: make(chan struct{})}
	t.Cleanup(g.open)
	return g
}

// hold says that the gate was reached, and returns when it is open.
func (g *gate) hold() {
	close(g.reached)
	<-g.opened
}

func (g *gate) open() { g.once.Do(func() { close(g.opened) }) }

// await waits until the gate was reached.
func (g *gate) await(t *testing.T, r *running, what string) {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-g.reached:
	case <-r.ctx.Done():
		t.Fatalf("the runner ended before %s\n%s", what, r.tail())
	case <-timer.C:
		t.Fatalf("waited %s for %s\n%s", patience, what, r.tail())
	}
}
