//go:build linux

package external

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

func TestDeathsInARowRestLonger(t *testing.T) {
	var s series
	now := time.Unix(1e9, 0)
	for i, want := range []time.Duration{0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60} {
		want *= time.Second
		if rest := s.died(now, now, "panic: oops"); rest != want {
			t.Fatalf("after death %d it rests %v, want %v", i+1, rest, want)
		}
		if want == 0 {
			if err := s.admits(now); err != nil {
				t.Errorf("after death %d: %v", i+1, err)
			}
			continue
		}
		now = now.Add(want - 500*time.Millisecond)
		words := fmt.Sprintf("panic: oops; that was failure %d in a row, and it is not started again for another 1s", i+1)
		if err := s.admits(now); err == nil || err.Error() != words {
			t.Errorf("got %v, want %s", err, words)
		}
		now = now.Add(500 * time.Millisecond)
		if err := s.admits(now); err != nil {
			t.Errorf("after its rest: %v", err)
		}
	}
	for range 1000 {
		s.died(now, now, "")
	}
	if s.rest != longestRest {
		t.Errorf("it rests %v", s.rest)
	}
	// Long ago is another series.
	now = now.Add(longestRest + seriesOver + time.Second)
	if rest := s.died(now, now, ""); rest != 0 {
		t.Errorf("it rests %v for what was long ago", rest)
	}
	s.died(now, now, "")
	s.died(now, now, "")
	s.served()
	if err := s.admits(now); err != nil {
		t.Errorf("after it served: %v", err)
	}
	if rest := s.died(now, now, ""); rest != 0 {
		t.Errorf("it rests %v at its first death since it served", rest)
	}
	// Eight processes that die together are one death.
	for range 8 {
		if rest := s.died(now.Add(-time.Second), now.Add(time.Second), ""); rest != 0 {
			t.Errorf("it rests %v for processes that were not begun anew", rest)
		}
	}
}

func TestTheMonitorForgivesOneMiss(t *testing.T) {
	const every, within = 10 * time.Second, 5 * time.Second
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var asked []time.Duration
		var sick time.Duration
		answers := []error{nil, errors.New("refused"), nil, nil}
		monitor(t.Context(), every, within, func(ctx context.Context) error {
			asked = append(asked, time.Since(begin))
			if n := len(asked); n <= len(answers) {
				return answers[n-1]
			}
			<-ctx.Done()
			return ctx.Err()
		}, func() { sick = time.Since(begin) })
		// 10s: well; 20s: a miss, asked again at once; 30s: well; 40s: silent, twice.
		want := []time.Duration{every, 2 * every, 2 * every, 3 * every, 4 * every, 4*every + within}
		if fmt.Sprint(asked) != fmt.Sprint(want) || sick != 4*every+2*within {
			t.Errorf("asked at %v and sick at %v, want %v and %v", asked, sick, want, 4*every+2*within)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(every+time.Second, cancel) // while a question waits
		monitor(ctx, every, within, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, func() { t.Error("sick although it ended") })
	})
}

// TestAPluginThatKeepsDyingRests: the program is a built one, the clock is not.
func TestAPluginThatKeepsDyingRests(t *testing.T) {
	h := host(t, nil)
	var clock atomic.Int64
	h.now = func() time.Time { return time.Unix(clock.Load(), 0) }
	p, err := h.Plugin(pluginFile(t))
	if err != nil {
		t.Fatal(err)
	}
	do := func(what string) error {
		_, err := h.Slot("1").Run(t.Context(), core.Binding{Digest: p.Digest()}, core.Register, order(what), core.Session{Services: &services{}})
		return err
	}
	for _, c := range []struct {
		after int64 // seconds
		do    string
		words string
	}{
		{0, "panic", "exit status 2: panic: the wizard fell over"},
		{0, "exit", "exit status 7"},
		{0, "panic", "exit status 2: panic: the wizard fell over"},
		{0, "done", "exit status 2: panic: the wizard fell over; that was failure 3 in a row, and it is not started again for another 1s"},
		{1, "exit", "exit status 7"},
		{1, "done", "exit status 7; that was failure 4 in a row, and it is not started again for another 1s"},
		{1, "done", ""},
		{0, "panic", "panic: the wizard fell over"}, // the success ended the series
		{0, "done", ""},
	} {
		clock.Add(c.after)
		err := do(c.do)
		if c.words == "" {
			if err != nil {
				t.Fatalf("%s: %v", c.do, err)
			}
			continue
		}
		wantFault(t, err, core.Crashed, c.words)
	}
	// Who dies between two runs dies all the same: with these two it is three.
	idle := h.Slot("1").(*slot).processes[p.program]
	if err := syscall.Kill(idle.pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-idle.exited
	wantFault(t, do("exit"), core.Crashed, "exit status 7")
	wantFault(t, do("exit"), core.Crashed, "exit status 7")
	wantFault(t, do("done"), core.Crashed, "that was failure 3 in a row")
	// The scripts don't wait for it.
	mustRun(t, h, "done")
}

// TestADeafPluginIsKilled, in the middle of a run and between two.
func TestADeafPluginIsKilled(t *testing.T) {
	h := host(t, func(o *Options) { o.HealthEvery, o.HealthWithin = 50*time.Millisecond, time.Second })
	p, err := h.Plugin(pluginFile(t))
	if err != nil {
		t.Fatal(err)
	}
	b := core.Binding{Digest: p.Digest()}
	stop := func() *process {
		live := h.Slot("1").(*slot).processes[p.program]
		if err := syscall.Kill(live.pid, syscall.SIGSTOP); err != nil {
			t.Error(err)
		}
		return live
	}
	sv := &services{logged: func() { stop() }}
	_, err = h.Slot("1").Run(t.Context(), b, core.Register, order("hang"), core.Session{Services: sv})
	wantFault(t, err, core.Crashed, "did not answer two health checks of 1s each and was killed")
	if _, err := h.Slot("1").Run(t.Context(), b, core.Register, order("done"), core.Session{}); err != nil {
		t.Fatal(err)
	}
	idle := stop()
	<-idle.gone
	if idle.reason() != killSick {
		t.Errorf("it ended for another reason: %v", idle.reason())
	}
	if _, err := h.Slot("1").Run(t.Context(), b, core.Register, order("done"), core.Session{}); err != nil {
		t.Error(err)
	}
}

// TestWhatAPluginPrintsIsInItsTasksLog, within limits.
func TestWhatAPluginPrintsIsInItsTasksLog(t *testing.T) {
	h := host(t, nil)
	p, err := h.Plugin(pluginFile(t))
	if err != nil {
		t.Fatal(err)
	}
	sv := &services{}
	seen := make(chan struct{}, spokenLines+9)
	sv.logged = func() { seen <- struct{}{} }
	sv.human = func(ctx context.Context) error { // the driver has printed when it asks
		for range 3 {
			<-seen
		}
		return nil
	}
	run := func(do string) error {
		_, err := h.Slot("1").Run(t.Context(), core.Binding{Digest: p.Digest()}, core.Register, order(do), core.Session{Services: sv})
		return err
	}
	if err := run("print"); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(sv.seen(), "\n")
	for _, want := range []string{"log INFO printed: by fmt []", "log INFO printed: by log []", "log INFO printed: " + strings.Repeat("x", spokenLine) + "… []"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	sv = &services{}
	if err := run("exit loudly"); err == nil {
		t.Fatal("it lives")
	}
	lines := sv.seen()
	if len(lines) != spokenLines || lines[0] != "log INFO printed: line 0 []" || lines[spokenLines-1] != "log INFO it printed more, which is not kept []" {
		t.Errorf("%d lines: %q", len(lines), lines)
	}
}
