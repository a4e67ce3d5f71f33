package main_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// listUsers is how many users the lists of these tests have: five calls.
const listUsers = 437

// tenantSection is the sandbox's tenant in a configuration file.
func (w *world) tenantSection(more string) string {
	return fmt.Sprintf("[hoola.%q]\nallowed = \"owner\"\ntoken = \"file:hoola.token\"\nbase_url = %q\nevery = %q\ntimeout = \"3s\"\nmax_wait = \"0s\"\nprofile_url = %q\n%s\n",
		sandbox.HoolaDomain, w.sb.Hoola.URL, w.sb.Hoola.Every.String(), w.sb.Hoola.URL+"/profile/{userId}", more)
}

// newTenant is a world with a list of users for its tenant.
func newTenant(t *testing.T) (w *world, config, list string) {
	t.Helper()
	w = newWorld(t, settings{slots: 1, sandbox: sandbox.Options{HoolaEvery: 20 * time.Millisecond}})
	w.write("hoola.token", w.sb.Hoola.Token+"\n")
	w.o.more = w.tenantSection("")
	var b strings.Builder
	b.WriteString("Họ và tên,Tên đăng nhập,Email,Mật khẩu\n")
	for i := range listUsers {
		fmt.Fprintf(&b, "Nguyễn Văn %d,user%03d,u%03d@x.vn,matkhau%d\n", i, i, i, i)
	}
	w.write("users.csv", b.String())
	return w, w.config("one"), w.path("users.csv")
}

// checkList wants every user made once, and a result for every row that agrees
// with what the site saw: who was in two calls is created_unconfirmed.
func (w *world) checkList(result string) {
	w.t.Helper()
	data, err := os.ReadFile(result)
	if err != nil {
		w.t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff")))).ReadAll()
	if err != nil {
		w.t.Fatal(err)
	}
	sent, made := map[string]int{}, map[string]int{}
	for _, c := range w.sb.Hoola.Calls() {
		if c.Early || c.Refused != "" || len(c.Users) > 100 {
			w.t.Errorf("call %d: %d users, early %t, refused %q", c.N, len(c.Users), c.Early, c.Refused)
		}
		for _, u := range c.Users {
			sent[u.Username]++
		}
	}
	for _, u := range w.sb.Hoola.Users() {
		if strings.HasPrefix(u.Username, "user") {
			made[u.Username]++
		}
	}
	if len(rows) != listUsers+1 || len(made) != listUsers {
		w.t.Errorf("%d rows in the result, %d users made, want %d", len(rows)-1, len(made), listUsers)
	}
	states := map[string]int{}
	for _, r := range rows[1:] {
		user, state := r[1], r[4]
		states[state]++
		want := string(core.BulkCreated)
		if sent[user] > 1 {
			want = string(core.BulkUnconfirmed)
		}
		if made[user] != 1 || state != want || state == string(core.BulkCreated) && r[5] == "" {
			w.t.Errorf("%s was made %d times in %d calls and is %q, %q", user, made[user], sent[user], state, r[6])
		}
	}
	w.t.Logf("%d calls, %v", len(w.sb.Hoola.Calls()), states)
}

// TestImportKilledAtCrashPoints kills the import by its own hand at a durable
// step, and gives the same command again. The short form tries some of the steps.
func TestImportKilledAtCrashPoints(t *testing.T) {
	bin, err := crashBinary()
	if err != nil {
		t.Fatal(err)
	}
	step := 7
	if os.Getenv("ROLLCALL_EVERY_POINT") != "" {
		step = 1
	}
	tried := 0
	for n := 1; ; n += step {
		w, config, list := newTenant(t)
		result := w.path("result.csv")
		args := []string{"hoola", "import", list, "-c", config, "-o", result}
		name, crashed := crashes(t, bin, n, args...)
		if !crashed {
			w.checkList(result)
			break
		}
		tried++
		w.finish(config, args)
		w.checkList(result)
		if t.Failed() {
			t.Fatalf("that was point %d: %s", n, name)
		}
	}
	if tried == 0 {
		t.Error("no crash point was reached")
	}
	t.Logf("%d crash points", tried)
}

// finish gives the command until the import has ended, and resumes the site as a
// person does: several kills in a row leave users without an outcome each time.
func (w *world) finish(config string, args []string) {
	w.t.Helper()
	for range 10 {
		p := launch(w.t, args...)
		switch code := p.end(patience); code {
		case exitDone:
			return
		case exitPerson:
			w.resume(config)
		default:
			w.t.Fatalf("ended with %d\n%s", code, p.tail())
		}
	}
	w.t.Fatal("the import does not end")
}

func (w *world) resume(config string) {
	w.t.Helper()
	if code := launch(w.t, "site", "resume", sandbox.HoolaDomain, "-c", config).end(patience); code != exitDone {
		w.t.Fatalf("the site is not resumed: %d", code)
	}
}

// crashes runs rollcall with its crash points until the nth, and reports whether there is one.
func crashes(t *testing.T, bin string, n int, args ...string) (name string, crashed bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+temporary, "ROLLCALL_CRASH_AT="+strconv.Itoa(n))
	var log bytes.Buffer
	cmd.Stderr = &log
	err := cmd.Run()
	if at := crashLine.FindSubmatch(log.Bytes()); at != nil {
		return string(at[1]), true
	}
	if err != nil {
		t.Fatalf("up to point %d it ended by itself: %v\n%s", n, err, log.Bytes())
	}
	return "", false
}

// TestImportKilledAtRandomMoments kills the import from outside: while the site
// works on a call, and whenever a clock says so.
func TestImportKilledAtRandomMoments(t *testing.T) {
	w, config, list := newTenant(t)
	result := w.path("result.csv")
	args := []string{"hoola", "import", list, "-c", config, "-o", result}
	r := rand.New(rand.NewPCG(437, 5))
	kill := func(p *running) { _ = unix.Kill(p.cmd.Process.Pid, unix.SIGKILL) }
	kills := 0
	for round := range 4 {
		var p *running
		started := make(chan struct{})
		if at := len(w.sb.Hoola.Calls()) + 1 + r.IntN(2); round < 2 {
			w.sb.Hoola.Fault(func(c sandbox.HoolaCall) sandbox.HoolaFault {
				if c.N == at {
					<-started
					kill(p)
				}
				return sandbox.HoolaFault{}
			})
		}
		p = launch(t, args...)
		close(started)
		if round >= 2 {
			moment := time.NewTimer(time.Duration(r.IntN(400)) * time.Millisecond)
			select {
			case <-moment.C:
				kill(p)
			case <-p.ctx.Done():
			}
		}
		switch code := p.end(patience); code {
		case -1:
			kills++
		case exitDone:
		case exitPerson:
			w.resume(config)
		default:
			t.Fatalf("ended with %d\n%s", code, p.tail())
		}
		w.sb.Hoola.Fault(nil)
	}
	if kills < 2 {
		t.Errorf("only %d kills", kills)
	}
	w.finish(config, args)
	w.checkList(result)
}

// TestDetachedImportOutlivesItsRunner hands a list to a runner that is killed
// while the site works on a call.
func TestDetachedImportOutlivesItsRunner(t *testing.T) {
	w, config, list := newTenant(t)
	var mu sync.Mutex
	var p *running
	w.sb.Hoola.Fault(func(c sandbox.HoolaCall) sandbox.HoolaFault {
		if c.N == 2 {
			mu.Lock()
			_ = unix.Kill(p.cmd.Process.Pid, unix.SIGKILL)
			mu.Unlock()
		}
		return sandbox.HoolaFault{}
	})
	start := func() *running {
		mu.Lock()
		defer mu.Unlock()
		p = w.start(config)
		return p
	}
	first := start()
	first.reachable(w.path("one/control.sock"))
	by := launch(t, "hoola", "import", list, "-c", config, "--detach")
	if code := by.end(patience); code != exitDone || !strings.HasPrefix(by.out.String(), fmt.Sprintf("the runner (process %d) sends it", first.cmd.Process.Pid)) {
		t.Fatalf("ended with %d: %s\n%s", code, by.out.String(), by.tail())
	}
	if code := first.end(patience); code != -1 {
		t.Fatalf("the runner was not killed and ended with %d\n%s", code, first.tail())
	}
	last := start()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := w.sb.Hoola.Wait(ctx, func(h *sandbox.Hoola) bool { return len(h.Users()) == listUsers && len(h.Calls()) >= 6 }); err != nil {
		t.Fatalf("%d users are made\n%s", len(w.sb.Hoola.Users()), last.tail())
	}
	last.stop()
	result := w.path("result.csv")
	imp := w.imports(config)[0]
	if imp.Open != 0 || imp.Rows != listUsers {
		t.Errorf("the import has %d rows, %d open", imp.Rows, imp.Open)
	}
	s := launch(t, "hoola", "status", "-c", config, "--import", imp.ID, "-o", result)
	if code := s.end(patience); code != exitDone {
		t.Fatalf("ended with %d\n%s", code, s.tail())
	}
	w.checkList(result)
}

// reachable waits until commands and signals reach the runner.
func (r *running) reachable(socket string) {
	r.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	tick := time.NewTicker(20 * time.Millisecond) // a process that starts gives no signal
	defer tick.Stop()
	for {
		if _, err := os.Stat(socket); err == nil {
			return
		}
		select {
		case <-tick.C:
			continue
		case <-r.ctx.Done():
		case <-timer.C:
		}
		r.t.Fatalf("the runner can't be reached\n%s", r.tail())
	}
}

// importDoc is what hoola status --json says of an import.
type importDoc struct {
	ID   string
	Rows int
	Open int
}

func (w *world) imports(config string) []importDoc {
	w.t.Helper()
	s := launch(w.t, "hoola", "status", "-c", config, "--json")
	code := s.end(patience)
	var doc struct{ Imports []importDoc }
	if err := json.Unmarshal(s.out.Bytes(), &doc); err != nil || code != exitDone {
		w.t.Fatalf("ended with %d: %v\n%s%s", code, err, s.out.String(), s.tail())
	}
	return doc.Imports
}
