//go:build linux

package external

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
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
