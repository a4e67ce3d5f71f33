package main_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// crashBinary is rollcall with its crash points compiled in.
var crashBinary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(temporary, "rollcall-crashpoints")
	out, err := exec.Command("go", "build", "-tags", "crashpoints", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build rollcall with crash points: %w\n%s", err, out)
	}
	return path, os.Chmod(path, 0o755)
})

// stride is how many crash points lie between two that are tried: all of them
// with ROLLCALL_EVERY_POINT, which `make crashtest` sets.
func stride(full bool) int {
	if full {
		return 1
	}
	return 9
}

var crashLine = regexp.MustCompile(`"msg":"crash point","n":\d+,"point":"([^"]*)"`)

// TestEveryCrashPoint kills the runner by its own hand at each durable step and
// each effect of a flow, starts it again and asks the outside: one account, one
// sign-up on the wire, one report. The short form tries some of the points.
func TestEveryCrashPoint(t *testing.T) {
	full := os.Getenv("ROLLCALL_EVERY_POINT") != ""
	flows := []struct {
		name   string
		site   func(*sandbox.Sandbox) *sandbox.Site
		status string
	}{
		{"board", board, sandbox.StateRegister},
		{"mail-confirmed", community, sandbox.StateRegister},
		{"connect", board, sandbox.StateConnect},
	}
	stores := map[string]func() string{"sqlite": func() string { return "" }}
	if full {
		stores["postgres"] = func() string { return ledgertest.Postgres(t) }
	}
	for store, open := range stores {
		for i, flow := range flows {
			t.Run(store+"/"+flow.name, func(t *testing.T) {
				tried := 0
				for n := 1 + i*2; ; n += stride(full) {
					w := newWorld(t, settings{store: open(), scripts: own(t, "1s", "40s")})
					w.add(flow.site(w.sb), flow.status, 1)
					name, crashed := crashAtPoint(t, w, n)
					if !crashed {
						break
					}
					tried++
					r := w.start(w.config("one"), "--once", "--wait", "60s")
					if code := r.end(patience); code != exitDone {
						t.Fatalf("point %d (%s): the next run ended with %d\n%s", n, name, code, r.tail())
					}
					w.checkCrashed(flow.status)
					if t.Failed() {
						t.Fatalf("that was point %d: %s", n, name)
					}
				}
				if tried == 0 {
					t.Fatal("no crash point was reached")
				}
				t.Logf("%d crash points tried, 0 accounts lost, 0 doubled", tried)
			})
		}
	}
}

// crashAtPoint runs until crash point n, and reports whether there is one.
func crashAtPoint(t *testing.T, w *world, n int) (name string, crashed bool) {
	t.Helper()
	bin, err := crashBinary()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, "run", "--once", "-c", w.config("one"))
	cmd.Env = append(os.Environ(), "TMPDIR="+temporary, "ROLLCALL_CRASH_AT="+strconv.Itoa(n))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	var log bytes.Buffer
	cmd.Stderr = &log
	cmd.WaitDelay = 5 * time.Second
	err = cmd.Run()
	if at := crashLine.FindSubmatch(log.Bytes()); at != nil {
		return string(at[1]), true
	}
	if err != nil {
		t.Fatalf("the run to point %d ended by itself: %v\n%s", n, err, log.Bytes())
	}
	return "", false
}

// checkCrashed is checkDone for a task whose runner was killed: a sign-up that
// was proved absent may have been sent once more.
func (w *world) checkCrashed(status string) {
	w.t.Helper()
	for _, task := range w.tasks {
		w.checkReported(task)
		posts := 1
		if status == sandbox.StateConnect {
			posts = 0
		}
		w.checkSite(task, posts)
	}
}
