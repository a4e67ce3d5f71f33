//go:build linux

package external

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/plugins"
)

func sourceOf(b core.Binding) (plugins.DriverRef, error) {
	text := b.Source
	if text == "" {
		text = "source of " + b.Driver
	}
	return plugins.DriverRef{Name: b.Driver, Path: "scripts/" + b.Driver + ".lua", Digest: "sha-" + b.Driver + text, Text: []byte(text),
		Lib: fstest.MapFS{"lib/words.lua": {Data: []byte("return {}\n")}}}, nil
}

var binding = core.Binding{Driver: "board"}

// self is the test binary, which TestMain makes a worker.
func self(t testing.TB) string {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func host(t testing.TB, change func(*Options)) *Host {
	t.Helper()
	o := Options{Command: []string{self(t), "worker"}, Sources: sourceOf, StateDir: t.TempDir(), MemoryMB: 256 + raceMB, Grace: 5 * time.Second}
	if change != nil {
		change(&o)
	}
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
		if _, err := os.Stat(h.run.path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the sockets' directory is left: %v", err)
		}
	})
	return h
}

func run(ctx context.Context, h *Host, do string, s core.Services) (core.Outcome, error) {
	return h.Slot("1").Run(ctx, binding, core.Register, order(do), core.Session{Services: s})
}

func mustRun(t testing.TB, h *Host, do string) core.Outcome {
	t.Helper()
	o, err := run(t.Context(), h, do, &services{})
	if err != nil {
		t.Fatalf("%s: %v", do, err)
	}
	return o
}

// wantFault asserts the code and words of a fault.
func wantFault(t *testing.T, err error, code core.FaultCode, words string) *core.Fault {
	t.Helper()
	f, ok := errors.AsType[*core.Fault](err)
	if !ok {
		t.Fatalf("got %v, want a fault", err)
	}
	if f.Code != code || !strings.Contains(f.Why, words) || strings.Contains(f.Why, "\n") {
		t.Fatalf("got %s: %q, want %s: %q", f.Code, f.Why, code, words)
	}
	return f
}

func pidOf(h *Host) int { return h.Slot("1").(*slot).processes[h.worker].pid }

// dead waits until a process that is no child of ours has gone.
func dead(t *testing.T, pid int) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err == unix.ESRCH {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 5000)
		if err == unix.EINTR {
			continue
		}
		if n != 1 {
			t.Fatalf("process %d is alive: %v", pid, err)
		}
		return
	}
}

func TestTheTaskAndTheSessionCross(t *testing.T) {
	h := host(t, nil)
	task := order("echo")
	task.Language = "vi"
	task.Entity.Fields = map[string]core.Value{core.FieldPassword: core.Secret("p\xe9w"), core.FieldMailPassword: core.Secret("mailbox")}
	o, err := h.Slot("1").Run(t.Context(), binding, core.Login, task,
		core.Session{ControlURL: "ws://c", ContextID: "ctx", TargetID: "tgt", Base: "http://b", Proxy: "http://p", Hosts: []string{"a", "b"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]core.Value{
		"phase": core.Text("login"), "session": core.Text("ws://c ctx tgt http://b http://p [a b]"), "lang": core.Text("vi"),
		"password": core.Secret("p\xe9w"), "mailbox": core.Text(""),
	} {
		got := o.Facts[name]
		if strings.ReplaceAll(got.Reveal(), " ", "") != strings.ReplaceAll(want.Reveal(), " ", "") || got.IsSecret() != want.IsSecret() {
			t.Errorf("%s: %q, want %q", name, got.Reveal(), want.Reveal())
		}
	}
}

func TestServicesWorkAcrossTheBorder(t *testing.T) {
	h := host(t, nil)
	s := &services{}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	o, err := run(ctx, h, "services", s)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"commit submit chosen", "committed submit", "mail 6 1m0s", "totp", "asset avatar 9 [png]", "human answer otp_sms which code?",
		"enrol JBSW true", "shot end", "log WARN used all [left=true]"}
	if got := s.seen(); !slices.Equal(got, want) {
		t.Errorf("calls:\n%q\nwant\n%q", got, want)
	}
	for name, want := range map[string]core.Value{"code": core.Secret("123456"), "totp": core.Secret("654321"), "asset": core.Text("/files/avatar"),
		"answer": core.Secret("4711"), "from": core.Text("board@example.org")} {
		if o.Facts[name] != want {
			t.Errorf("%s: got %q, secret %v", name, o.Facts[name].Reveal(), o.Facts[name].IsSecret())
		}
	}
}

func TestSentinelsSurviveBothWays(t *testing.T) {
	h := host(t, nil)
	for _, want := range []error{core.ErrCommitted, core.ErrNoCommit, core.ErrLeaseLost, core.ErrNotYet, core.ErrAway, core.ErrNoAsset, core.ErrNoTOTP} {
		_, err := run(t.Context(), h, "sentinel", &services{commit: func(context.Context) error { return want }})
		if !errors.Is(err, want) || err.Error() != "on the way: "+want.Error() {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	if _, err := run(t.Context(), h, "no such thing", nil); err != core.ErrNoPhase {
		t.Errorf("got %v", err)
	}
}

func TestTheSourceIsSentOnce(t *testing.T) {
	h := host(t, nil)
	for range 3 {
		if o := mustRun(t, h, "done"); o.Facts["loads"].Reveal() != "1" || o.Facts["text"].Reveal() != "source of board" {
			t.Fatalf("loads %v, text %v", o.Facts["loads"], o.Facts["text"])
		}
	}
	// More drivers than a worker keeps: the first one is sent again.
	for i := range 40 {
		b := core.Binding{Driver: fmt.Sprint("d", i)}
		if _, err := h.Slot("1").Run(t.Context(), b, core.Register, order("done"), core.Session{}); err != nil {
			t.Fatal(err)
		}
	}
	if o := mustRun(t, h, "done"); o.Facts["loads"].Reveal() != "42" {
		t.Errorf("loads %v, want 42", o.Facts["loads"])
	}
	if o := mustRun(t, h, "lib"); o.Facts["lib"].Reveal() != "return {}\n" {
		t.Errorf("lib %q", o.Facts["lib"])
	}
}

func TestASourceThatDoesNotLoad(t *testing.T) {
	h := host(t, nil)
	for range 2 {
		_, err := h.Slot("1").Run(t.Context(), core.Binding{Driver: "bad", Source: "broken"}, core.Register, order("done"), core.Session{})
		if f := wantFault(t, err, core.DriverError, "no such verb"); f.Place != "scripts/bad.lua:3" || f.Phase != core.Register {
			t.Errorf("got %+v", f)
		}
	}
	ref, _ := sourceOf(core.Binding{Driver: "bad", Source: "broken"})
	_, err := h.Manifest(t.Context(), ref)
	wantFault(t, err, core.DriverError, "no such verb")
	ref, _ = sourceOf(binding)
	m, err := h.Manifest(t.Context(), ref)
	if err != nil || m.Name != "board" || !m.Has(core.Register) || m.Options["do"].Default != "done" {
		t.Errorf("manifest %+v, %v", m, err)
	}
}

func TestConcurrentLogLines(t *testing.T) {
	h := host(t, nil)
	s := &services{}
	if _, err := run(t.Context(), h, "log", s); err != nil {
		t.Fatal(err)
	}
	seen := s.seen()
	slices.Sort(seen)
	if n := len(slices.Compact(seen)); n != 100 {
		t.Errorf("%d of 100 lines arrived", n)
	}
}

// TestCancelReachesAPersonsTurn: the wait for a person ends, and the process lives on.
func TestCancelReachesAPersonsTurn(t *testing.T) {
	h := host(t, nil)
	pid := mustRun(t, h, "done").Facts["pid"]
	ctx, cancel := context.WithCancel(t.Context())
	s := &services{human: func(ctx context.Context) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}}
	_, err := run(ctx, h, "human", s)
	if f := wantFault(t, err, core.Cancelled, "cancelled"); f.Place != "x.lua:9" || f.Verb != "human" {
		t.Errorf("the place is lost: %+v", f)
	}
	if now := mustRun(t, h, "done").Facts["pid"]; now != pid {
		t.Errorf("the worker was replaced: %v, then %v", pid, now)
	}
}

func TestACauseIsTheFault(t *testing.T) {
	h := host(t, nil)
	ctx, cancel := context.WithCancelCause(t.Context())
	s := &services{human: func(ctx context.Context) error {
		cancel(&core.Fault{Code: core.LeaseGone, Why: "another runner has it"})
		<-ctx.Done()
		return ctx.Err()
	}}
	_, err := run(ctx, h, "human", s)
	wantFault(t, err, core.LeaseGone, "")
}

func TestADriverKeepsItsDeadline(t *testing.T) {
	h := host(t, nil)
	pid := mustRun(t, h, "done").Facts["pid"]
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := run(ctx, h, "wait", nil)
	if f := wantFault(t, err, core.Timeout, "time was over"); f.Place != "x.lua:4" || f.Locator != "#go" {
		t.Errorf("the place is lost: %+v", f)
	}
	if now := mustRun(t, h, "done").Facts["pid"]; now != pid {
		t.Errorf("the worker was replaced: %v, then %v", pid, now)
	}
	if _, err := run(ctx, h, "done", nil); !errors.As(err, new(*core.Fault)) {
		t.Errorf("a run past its deadline: %v", err)
	}
}

// TestAnOverrunIsKilled: a driver that ignores its context, and a stopped process.
func TestAnOverrunIsKilled(t *testing.T) {
	for _, do := range []string{"hang", "stop"} {
		t.Run(do, func(t *testing.T) {
			const grace = 100 * time.Millisecond
			h := host(t, func(o *Options) { o.Grace = grace })
			mustRun(t, h, "done")
			pid := pidOf(h)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_, err := run(ctx, h, do, &services{})
			deadline, _ := ctx.Deadline()
			late := time.Since(deadline)
			wantFault(t, err, core.Timeout, "past its deadline and was killed")
			if late < grace || late > grace+time.Second {
				t.Errorf("it ended %v after the deadline", late)
			}
			t.Logf("dead %v after deadline and grace", late-grace)
			dead(t, pid)
			mustRun(t, h, "done")
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		h := host(t, func(o *Options) { o.Grace = 50 * time.Millisecond })
		ctx, cancel := context.WithCancel(t.Context())
		_, err := run(ctx, h, "hang", &services{logged: cancel})
		wantFault(t, err, core.Cancelled, "did not stop within 50ms")
	})
}

func TestAMemoryBombIsKilled(t *testing.T) {
	h := host(t, func(o *Options) { o.MemoryMB = 128 + raceMB })
	_, err := run(t.Context(), h, "bomb", nil)
	wantFault(t, err, core.OutOfMemory, fmt.Sprintf("used more than %d MB of memory", 128+raceMB))
	mustRun(t, h, "done")
	// One allocation that the process' own limit refuses, where it can have one.
	_, err = run(t.Context(), h, "gulp", nil)
	wantFault(t, err, core.OutOfMemory, "memory")
	mustRun(t, h, "done")
}

func TestAWorkerThatGrewIsRecycled(t *testing.T) {
	h := host(t, func(o *Options) { o.MemoryMB = 150 })
	if raceMB > 0 {
		h.opt.MemoryMB = 2 * raceMB
	}
	before := mustRun(t, h, "grow").Facts["pid"]
	for range 3 * (1 + raceMB/80) {
		if after := mustRun(t, h, "grow").Facts["pid"]; after != before {
			return
		}
	}
	t.Error("the grown worker is still used")
}

// TestADeathCostsOneAttempt: the fault says how the process ended, and the next run works.
func TestADeathCostsOneAttempt(t *testing.T) {
	h := host(t, func(o *Options) { o.OutputLimit = 64 << 10 })
	for _, c := range []struct {
		do    string
		code  core.FaultCode
		words string
	}{
		{"panic", core.Crashed, "exit status 2: panic: the wizard fell over"},
		{"exit", core.Crashed, "exit status 7"},
		{"flood", core.DriverError, "wrote more than 64 kB"},
		{"flood log", core.DriverError, "wrote more than 64 kB"},
		{"huge", core.DriverError, "larger than 16 MB"},
	} {
		t.Run(c.do, func(t *testing.T) {
			before := mustRun(t, h, "done").Facts["pid"]
			_, err := run(t.Context(), h, c.do, &services{})
			f := wantFault(t, err, c.code, c.words)
			if f.Phase != core.Register || len(f.Detail) > headSize+tailSize+8 {
				t.Errorf("phase %q, %d bytes of detail", f.Phase, len(f.Detail))
			}
			if c.do == "panic" && !strings.Contains(f.Detail, "panic: the wizard fell over") {
				t.Errorf("the panic is not attached: %q", f.Detail)
			}
			if after := mustRun(t, h, "done").Facts["pid"]; after == before {
				t.Error("the process is said to have died, and did not")
			}
		})
	}
	if _, err := run(t.Context(), h, "liar", nil); err == nil {
		t.Error("an impossible outcome was believed")
	} else {
		wantFault(t, err, core.DriverError, `unknown status "perfect"`)
	}
	mustRun(t, h, "whisper")
}

func TestAKilledWorkerIsReplaced(t *testing.T) {
	h := host(t, nil)
	mustRun(t, h, "done")
	pid := pidOf(h)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-h.Slot("1").(*slot).processes[h.worker].gone
	mustRun(t, h, "done")
	// And in the middle of a run.
	s := &services{logged: func() { syscall.Kill(pidOf(h), syscall.SIGKILL) }}
	_, err := run(t.Context(), h, "hang", s)
	wantFault(t, err, core.Crashed, "killed by signal 9")
	mustRun(t, h, "done")
}

func TestAChildLeftBehindGoesWithTheGroup(t *testing.T) {
	h := host(t, nil)
	child, err := strconv.Atoi(mustRun(t, h, "child").Facts["child"].Reveal())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run(t.Context(), h, "exit", nil); err == nil {
		t.Fatal("it lives")
	}
	dead(t, child)
}

// TestServicesAreRefusedAfterTheRun: a driver that kept them can't use them in a later run.
func TestServicesAreRefusedAfterTheRun(t *testing.T) {
	h := host(t, nil)
	first, second := &services{}, &services{}
	if _, err := run(t.Context(), h, "keep", first); err != nil {
		t.Fatal(err)
	}
	_, err := run(t.Context(), h, "use kept", second)
	if err == nil || !strings.Contains(err.Error(), "that run is over") {
		t.Errorf("got %v", err)
	}
	if len(first.seen())+len(second.seen()) != 0 {
		t.Errorf("a service was reached: %v, %v", first.seen(), second.seen())
	}
}

// TestRunReturnsAfterItsServices: a commit that is under way when the worker dies has ended before Run returns.
func TestRunReturnsAfterItsServices(t *testing.T) {
	h := host(t, nil)
	entered, ended := make(chan struct{}), false
	s := &services{
		commit: func(ctx context.Context) error {
			close(entered)
			<-ctx.Done()
			ended = true
			return ctx.Err()
		},
		asset: func() { <-entered },
	}
	_, err := run(t.Context(), h, "commit and die", s)
	wantFault(t, err, core.Crashed, "exit status 7")
	if !ended {
		t.Error("the commit was still under way")
	}
}

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
