package runner_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// TestARestoredLedgerLooksBeforeItSubmits: what was submitted after the copy is
// not in it.
func TestARestoredLedgerLooksBeforeItSubmits(t *testing.T) {
	for _, c := range []struct {
		name          string
		exists        bool // the account was made after the copy
		authoritative bool
		want          string // at the task manager
		submits       int
	}{
		{"the account is there", true, false, sandbox.StateProfiled, 0},
		{"there is none, and the login proves it", false, true, sandbox.StateProfiled, 1},
		{"there may be one: a person decides", false, false, sandbox.StateRegistering, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, sandbox.Options{})
			h.site.manifest.Probe.Authoritative = c.authoritative
			if c.exists {
				h.site.accounts["usert1"] = "Pass-word-t1"
			}
			if err := h.store.SetFlag(t.Context(), core.FlagBackup, time.Now().Add(time.Hour).UTC().Format(time.RFC3339Nano)); err != nil {
				t.Fatal(err)
			}
			h.add(task("t1"))
			h.run()
			if got := h.status("t1"); got != c.want {
				t.Errorf("status %s, want %s", got, c.want)
			}
			if n := h.site.submits["usert1"]; n != c.submits {
				t.Errorf("%d submits, want %d", n, c.submits)
			}
			if c.want == sandbox.StateProfiled {
				return
			}
			if err := h.store.Resolve(t.Context(), "t1", core.VerdictAbsent, "test"); err != nil {
				t.Fatal(err)
			}
			h.opts.Owner = "test-2"
			h.run()
			if got := h.status("t1"); got != sandbox.StateProfiled || h.site.submits["usert1"] != 1 {
				t.Errorf("after a person's word: %s, %d submits", got, h.site.submits["usert1"])
			}
		})
	}
}

// TestUnderWayWithoutAStartOfOurs: the task manager says registering, and this
// ledger never started the task: it was lost, and its account may be there.
func TestUnderWayWithoutAStartOfOurs(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	tk := task("t1")
	tk.Taken = true
	h.site.accounts["usert1"] = "Pass-word-t1"
	h.add(tk)
	h.run()
	if got := h.status("t1"); got != sandbox.StateProfiled {
		t.Errorf("status %s", got)
	}
	if n := h.site.submits["usert1"]; n != 0 {
		t.Errorf("%d submits: the account was there", n)
	}
}

// TestClockJumps: the ledger's clock leaps an hour on and back while tasks run.
func TestClockJumps(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	const (
		each    = 25            // readings between two leaps: heartbeats alone make them go by
		leaping = 12 * each     // readings with leaps
		settled = 2 * time.Hour // later than all that was due at any of the clock's times
	)
	var readings atomic.Int64
	h.store = ledgertest.SQLiteAt(t, func() time.Time {
		n := readings.Add(1)
		if n > leaping {
			return time.Now().Add(settled)
		}
		return time.Now().Add([]time.Duration{0, time.Hour, 0, -time.Hour}[n/each%4])
	})
	h.opts.Store, h.opts.Slots, h.opts.Limits.Heartbeat = h.store, 4, 20*time.Millisecond
	var ids []string
	for _, id := range []string{"t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8"} {
		ids = append(ids, id)
		h.add(task(id))
	}
	h.opts.Once = false
	stop := h.background()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, id := range ids {
		if _, err := h.sb.Manager.WaitTask(ctx, id, func(s sandbox.Snapshot) bool { return s.Status == sandbox.StateProfiled }); err != nil {
			h.dump()
			t.Fatal(err)
		}
	}
	stop()
	if n := readings.Load(); n < 4*each {
		t.Errorf("the clock was read %d times: it never leapt back", n)
	}
	for _, id := range ids {
		if n := h.site.submits["user"+id]; n != 1 {
			t.Errorf("%s was submitted %d times", id, n)
		}
		if snap, _ := h.sb.Manager.Task(id); snap.Count(sandbox.CallComplete) != 1 {
			t.Errorf("%s was completed %d times", id, snap.Count(sandbox.CallComplete))
		}
	}
}
