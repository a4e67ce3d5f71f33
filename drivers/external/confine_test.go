//go:build linux

package external

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/plugins"
)

func TestEightSlotsAtOnce(t *testing.T) {
	h := host(t, nil)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			s := h.Slot(fmt.Sprint(i))
			for n := range 10 {
				sv := &services{}
				do, fine := "log", true
				if i == 3 && n == 5 {
					do, fine = "panic", false
				}
				_, err := s.Run(t.Context(), binding, core.Register, order(do), core.Session{Services: sv})
				if (err == nil) != fine {
					t.Errorf("slot %d, run %d: %v", i, n, err)
				}
				if fine && len(sv.seen()) != 100 {
					t.Errorf("slot %d, run %d: %d lines", i, n, len(sv.seen()))
				}
			}
		})
	}
	wg.Wait()
}

func TestTheEnvironmentIsEmpty(t *testing.T) {
	t.Setenv("ROLLCALL_API_KEY", "canary")
	h := host(t, nil)
	o := mustRun(t, h, "environ")
	if got := o.Facts["now"].Reveal(); got != "" {
		t.Errorf("while it runs: %s", got)
	}
	for line := range strings.Lines(o.Facts["start"].Reveal()) {
		name, _, _ := strings.Cut(line, "=")
		if name != "GOTRACEBACK" && name != plugins.Handshake.MagicCookieKey && !strings.HasPrefix(name, "PLUGIN_") {
			t.Errorf("at its start: %s", line)
		}
	}
}

// TestAWorkerIsConfined, and its binary may lie where its user can't go.
func TestAWorkerIsConfined(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("not root: the worker keeps this user")
	}
	dir := filepath.Join(t.TempDir(), "private")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(self(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o755, 0o700} {
		t.Run(mode.String(), func(t *testing.T) {
			path := filepath.Join(dir, "rollcall"+mode.String())
			if err := os.WriteFile(path, b, mode); err != nil {
				t.Fatal(err)
			}
			h := host(t, func(o *Options) {
				o.Command[0] = path
				o.Users = Users{UID: 31400, GID: 31500, Count: 2}
			})
			mustRun(t, h, "done") // slot 1 takes the first id
			o, err := h.Slot("2").Run(t.Context(), binding, core.Register, order("identity"), core.Session{})
			if err != nil {
				t.Fatal(err)
			}
			status := o.Facts["status"].Reveal()
			want := []string{"NoNewPrivs:\t1"}
			if os.Geteuid() == 0 {
				want = append(want, "Uid:\t31401\t31401\t31401\t31401", "Gid:\t31501\t31501\t31501\t31501", "Groups:\t \n", "CapEff:\t0000000000000000")
			}
			for _, w := range want {
				if !strings.Contains(status, w) {
					t.Errorf("no %q in\n%s", w, status)
				}
			}
			if o.Facts["cwd"].Reveal() != "/" || o.Facts["stdin"].Reveal() != "/dev/null" {
				t.Errorf("cwd %v, stdin %v", o.Facts["cwd"], o.Facts["stdin"])
			}
			if os.Geteuid() == 0 {
				_, err = h.Slot("3").Run(t.Context(), binding, core.Register, order("done"), core.Session{})
				wantFault(t, err, core.Crashed, "all 2 user ids")
			}
		})
	}
}

func TestABadStartIsOneClearLine(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		name    string
		command []string
		code    core.FaultCode // of Run; empty: New fails
		words   string
	}{
		{"missing", []string{dir + "/nothing"}, "", "there is no file " + dir + "/nothing"},
		{"a directory", []string{dir}, "", "is a directory"},
		{"not executable", []string{write("plain", "x", 0o644)}, "", "is not executable; chmod +x it"},
		{"not a program", []string{write("garbage", "garbage", 0o755)}, core.Crashed, "is not a program for this machine"},
		{"a script that ends", []string{write("script", "#!/bin/sh\necho oops >&2\nexit 4\n", 0o755)}, core.Crashed, "exit status 4: oops before the handshake"},
		{"prints first", []string{self(t), "chatty"}, core.DriverError, `printed "Welcome!" before the handshake`},
		{"another version", []string{self(t), "older"}, core.DriverError, "speaks version 99 of the driver contract, this rollcall version 1; it is another build"},
		{"never shakes hands", []string{self(t), "silent"}, core.Timeout, "did not shake hands within 300ms"},
		{"exits", []string{self(t), "exits"}, core.Crashed, "exit status 3: no licence found before the handshake"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, err := New(Options{Command: c.command, Sources: sourceOf, StateDir: t.TempDir(), StartTimeout: 300 * time.Millisecond})
			if c.code == "" {
				if err == nil {
					h.Close()
				}
				if err == nil || !strings.Contains(err.Error(), c.words) || strings.Contains(err.Error(), "\n") {
					t.Fatalf("got %v, want %q", err, c.words)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			for range 2 {
				_, err = run(t.Context(), h, "done", nil)
				wantFault(t, err, c.code, c.words)
			}
		})
	}
}

// TestNothingIsLeftOfAKilledHost: the kernel ends the worker in the middle of its run.
func TestNothingIsLeftOfAKilledHost(t *testing.T) {
	cmd := exec.Command(self(t), "host")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var worker int
	var sockets string
	if _, err := fmt.Fscan(out, &worker, &sockets); err != nil {
		t.Fatal(err)
	}
	// Only the next host, a minute from now, would sweep it.
	defer os.RemoveAll(sockets)
	fd, err := unix.PidfdOpen(worker, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	begin := time.Now()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the host was not killed")
	}
	dead(t, worker)
	t.Logf("the worker was dead %v after the host's SIGKILL", time.Since(begin))
}

func TestCloseEndsWhatRuns(t *testing.T) {
	h := host(t, nil)
	s := &services{logged: func() { go h.Close() }}
	_, err := run(t.Context(), h, "hang", s)
	wantFault(t, err, core.Cancelled, "the runner is stopping")
	_, err = run(t.Context(), h, "done", nil)
	wantFault(t, err, core.Cancelled, "the runner is stopping")
}

func TestSweepRemovesWhatADeadHostLeft(t *testing.T) {
	temp := t.TempDir()
	old := time.Now().Add(-time.Hour)
	for _, name := range []string{runPrefix + "dead", runPrefix + "live", "other"} {
		if err := os.MkdirAll(filepath.Join(temp, name, "plugin-dir1"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(temp, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(temp, runPrefix+"new"), 0o700); err != nil {
		t.Fatal(err)
	}
	lock, err := lockDir(filepath.Join(temp, runPrefix+"live"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	sweep(temp)
	entries, err := os.ReadDir(temp)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if want := []string{"other", runPrefix + "live", runPrefix + "new"}; !slices.Equal(left, want) {
		t.Errorf("left %v, want %v", left, want)
	}
}
