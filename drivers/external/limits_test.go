//go:build linux

package external

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

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
