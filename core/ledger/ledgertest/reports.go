package ledgertest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

func testReports(t *testing.T, open Opener) {
	take := func(r *room) core.OutboxItem {
		r.Helper()
		it, err := r.ClaimReport(r.ctx, owner, lease)
		r.must(err)
		return it
	}
	none := func(r *room) {
		r.Helper()
		if it, err := r.ClaimReport(r.ctx, owner, lease); !errors.Is(err, core.ErrNothing) {
			r.Fatalf("claimed the report of %q, error %v", it.TaskID, err)
		}
	}
	t.Run("a report is whole, and claimed by one at a time", func(t *testing.T) {
		r := newRoom(t, open)
		next, err := r.NextReport(r.ctx)
		r.must(err)
		equal(r, "next of none", next, time.Time{})
		none(r)
		r.reach("1", core.Reporting)
		next, err = r.NextReport(r.ctx)
		r.must(err)
		equal(r, "next", next, r.clock.Now())
		it := take(r)
		equal(r, "report", it.Report, *r.move("1", core.Reporting).Report)
		equal(r, "password", it.Report.Password.Reveal(), "other password")
		equal(r, "kind", it.Kind, core.Onboard)
		equal(r, "task", it.TaskID, "1")
		equal(r, "tries", it.Tries, 0)
		none(r)
		r.must(r.SettleReport(r.ctx, it, core.Reported, core.Event{Text: "sent"}))
		none(r)
		equal(r, "state", r.task("1").State, core.Reported)
		r.wants(r.SettleReport(r.ctx, it, core.Reported, core.Event{}), core.ErrLeaseLost)
	})
	t.Run("the oldest due report is first, a deferred one waits", func(t *testing.T) {
		r := newRoom(t, open)
		for _, id := range []string{"c", "a", "b"} {
			r.reach(id, core.Reporting)
			r.clock.Add(time.Second)
		}
		it := take(r)
		equal(r, "first", it.TaskID, "c")
		later := r.clock.Now().Add(time.Hour)
		r.must(r.DeferReport(r.ctx, it, later, core.Event{Kind: "api", Text: "503"}))
		equal(r, "second", take(r).TaskID, "a")
		equal(r, "third", take(r).TaskID, "b")
		none(r)
		r.clock.Add(time.Hour)
		again := take(r) // the leases of the other two are over as well, but it was due first
		for again.TaskID != "c" {
			again = take(r)
		}
		equal(r, "tries", again.Tries, 1)
		equal(r, "epoch", again.Epoch, int64(2))
		r.must(r.SettleReport(r.ctx, again, core.Overtaken, core.Event{}))
		equal(r, "state", r.task("c").State, core.Overtaken)
	})
	t.Run("only the holder of a live lease settles or defers", func(t *testing.T) {
		r := newRoom(t, open)
		r.reach("1", core.Reporting)
		it := take(r)
		for what, change := range map[string]func(*core.OutboxItem){
			"another owner": func(it *core.OutboxItem) { it.Owner = "other" },
			"no owner":      func(it *core.OutboxItem) { it.Owner = "" },
			"another epoch": func(it *core.OutboxItem) { it.Epoch++ },
			"no such task":  func(it *core.OutboxItem) { it.TaskID = "9" },
			"no such row":   func(it *core.OutboxItem) { it.ID += 100 },
		} {
			bad := it
			change(&bad)
			if err := r.SettleReport(r.ctx, bad, core.Reported, core.Event{}); !errors.Is(err, core.ErrLeaseLost) {
				t.Errorf("settle by %s: %v", what, err)
			}
			if err := r.DeferReport(r.ctx, bad, r.clock.Now(), core.Event{}); !errors.Is(err, core.ErrLeaseLost) {
				t.Errorf("defer by %s: %v", what, err)
			}
		}
		r.clock.Add(lease / 2)
		r.beat() // renews no reports: whoever claimed one delivers it in time, or not at all
		none(r)
		r.clock.Add(lease / 2)
		r.wants(r.SettleReport(r.ctx, it, core.Reported, core.Event{}), core.ErrLeaseLost)
		r.must(r.SettleReport(r.ctx, take(r), core.Reported, core.Event{}))
	})
	t.Run("a report ends in reported or overtaken only", func(t *testing.T) {
		r := newRoom(t, open)
		r.reach("1", core.Reporting)
		it := take(r)
		if err := r.SettleReport(r.ctx, it, core.Ready, core.Event{}); err == nil {
			t.Fatal("settled as ready")
		}
		r.must(r.SettleReport(r.ctx, it, core.Reported, core.Event{}))
	})
	t.Run("every task is reported once", func(t *testing.T) {
		r := newRoom(t, open)
		for i := range 50 {
			r.reach(fmt.Sprintf("%02d", i), core.Reporting)
		}
		for range 50 {
			it := take(r)
			r.must(r.SettleReport(r.ctx, it, core.Reported, core.Event{}))
		}
		none(r)
		left, err := r.Tasks(r.ctx, core.TaskFilter{States: []core.State{core.Reporting}})
		r.must(err)
		equal(r, "left", len(left), 0)
	})
}

func testKeeping(t *testing.T, open Opener) {
	t.Run("flags are kept, unset ones are empty", func(t *testing.T) {
		r := newRoom(t, open)
		get := func(want string) {
			t.Helper()
			got, err := r.Flag(r.ctx, "connect")
			r.must(err)
			equal(r, "flag", got, want)
		}
		get("")
		r.must(r.SetFlag(r.ctx, "connect", "off"))
		get("off")
		r.must(r.SetFlag(r.ctx, "connect", "on"))
		get("on")
		r.must(r.SetFlag(r.ctx, "connect", ""))
		get("")
	})
	t.Run("tasks are listed by id, filtered and paged", func(t *testing.T) {
		r := newRoom(t, open)
		r.admit("5", "1", "3", "2", "4")
		r.admitTask(newTask("6", "other.example.org"))
		r.advance(r.claim().Lease, core.Move{To: core.Dropped})
		ids := func(f core.TaskFilter) string {
			t.Helper()
			recs, err := r.Tasks(r.ctx, f)
			r.must(err)
			var out []string
			for _, rec := range recs {
				out = append(out, rec.ID)
			}
			return strings.Join(out, " ")
		}
		equal(r, "all", ids(core.TaskFilter{}), "1 2 3 4 5 6")
		equal(r, "page", ids(core.TaskFilter{Limit: 2, After: "2"}), "3 4")
		equal(r, "site", ids(core.TaskFilter{Domain: "other.example.org"}), "6")
		equal(r, "dropped", len(ids(core.TaskFilter{States: []core.State{core.Dropped}})), 1)
		equal(r, "dropped elsewhere", ids(core.TaskFilter{Domain: "other.example.org", States: []core.State{core.Dropped, core.Unknown}}), "")
		_, err := r.Task(r.ctx, "none")
		r.wants(err, core.ErrUnknownTask)
		_, err = r.Events(r.ctx, "none")
		r.wants(err, core.ErrUnknownTask)
	})
	t.Run("accounts come oldest first, all of them, until one is refused", func(t *testing.T) {
		r := newRoom(t, open)
		const n = 120 // more than a page
		for i := range n {
			r.clock.Add(time.Millisecond)
			rec := r.reach(fmt.Sprintf("%04d", n-i), core.Confirmed)
			r.step(rec, core.Parked)
		}
		var got []core.Account
		r.must(r.Accounts(r.ctx, func(a core.Account) error { got = append(got, a); return nil }))
		equal(r, "accounts", len(got), n)
		equal(r, "first", got[0].TaskID, "0120")
		equal(r, "last", got[n-1].TaskID, "0001")
		equal(r, "password", got[0].Password.Reveal(), "password of 0120")
		equal(r, "secret", got[0].Password.IsSecret(), true)
		equal(r, "domain", got[0].Domain, site)
		stop := errors.New("enough")
		seen := 0
		r.wants(r.Accounts(r.ctx, func(core.Account) error { seen++; return stop }), stop)
		equal(r, "seen", seen, 1)
	})
	t.Run("an account is replaced, and keeps its age", func(t *testing.T) {
		r := newRoom(t, open)
		rec := r.reach("1", core.Confirmed)
		made := rec.Account.Created
		r.clock.Add(time.Second)
		more := *rec.Account
		more.TOTP, more.LinkProfile = core.Secret("JBSWY3DP"), "https://x/u"
		rec = r.advance(rec.Lease, core.Move{To: core.Profiled, Account: &more})
		equal(r, "account", r.task("1").Account, &more)
		equal(r, "created", rec.Account.Created, made)
		equal(r, "totp", rec.Account.TOTP.Reveal(), "JBSWY3DP")
	})
	t.Run("retention deletes what ended before, and nothing else", func(t *testing.T) {
		r := newRoom(t, open)
		const old = 230 // more than a batch
		for i := range old {
			r.admit(fmt.Sprintf("old%03d", i))
			r.advance(r.claim().Lease, core.Move{To: core.Dropped})
		}
		r.step(r.reach("acc", core.Confirmed), core.Failed)
		rec := r.task("acc")
		r.must(r.Note(r.ctx, rec.Lease, nil))
		r.step(r.advance(rec.Lease, r.move("acc", core.Reporting)), core.Reported)
		r.clock.Add(time.Hour)
		r.beat()
		r.reach("new", core.Dropped)
		parked := r.reach("open", core.Parked)
		n, err := r.Retain(r.ctx, r.clock.Now())
		r.must(err)
		equal(r, "deleted", n, old+1)
		n, err = r.Retain(r.ctx, r.clock.Now())
		r.must(err)
		equal(r, "deleted again", n, 0)
		left, err := r.Tasks(r.ctx, core.TaskFilter{})
		r.must(err)
		equal(r, "left", len(left), 2)
		equal(r, "open", r.task("open"), parked)
		r.must(r.Accounts(r.ctx, func(a core.Account) error { return fmt.Errorf("%s is left", a.TaskID) }))
		r.admit("acc")
		equal(r, "round of a forgotten task", r.task("acc").Round, 1)
	})
}
