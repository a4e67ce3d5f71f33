package ledger_test

import (
	"errors"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/ledger"
	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
)

// TestVisitsToABulkSite: whoever makes them, visits are as far apart and as few
// as the strictest pace says, and what a browser is for never goes into a call.
func TestVisitsToABulkSite(t *testing.T) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			clock, ctx := ledgertest.NewClock(), t.Context()
			l := ledgertest.OpenAt(t, d.url(t), clock.Now)
			for i := range int64(4) {
				task := lifeTask(i, 1)
				if task.Domain = bulkDomain; i > 0 {
					task.Kind = core.Connect
				}
				_, err := ledgertest.Admit(ctx, l, task, time.Time{})
				must(t, err)
				clock.Add(time.Millisecond)
			}
			slow, fast := bulkSite, bulkSite
			slow.Visit, fast.Visit = &core.Pace{Every: time.Minute, Concurrency: 1}, &core.Pace{Every: time.Second, Concurrency: 2}
			claim := func(owner string, site core.BulkSite, work core.BulkWork) core.Record {
				t.Helper()
				rec, err := l.BulkClaim(ctx, owner, site, time.Hour, work)
				if !errors.Is(err, core.ErrNothing) {
					must(t, err)
				}
				return rec
			}
			none := func(why, owner string, site core.BulkSite, work core.BulkWork) {
				t.Helper()
				if rec := claim(owner, site, work); rec.ID != "" {
					t.Errorf("%s: %s claimed %s for %s", why, owner, rec.ID, work)
				}
			}
			due := func(site core.BulkSite) time.Duration {
				t.Helper()
				w, err := l.BulkWindow(ctx, site, moment("A", 0))
				must(t, err)
				if w.VisitDue.IsZero() {
					return -1
				}
				return max(0, w.VisitDue.Sub(clock.Now())).Round(time.Second)
			}
			if got := due(bulkSite); got != -1 {
				t.Errorf("without a driver a visit is due in %s", got)
			}
			none("no driver", "a", bulkSite, core.BulkVisit)
			none("no driver", "a", bulkSite, core.BulkBegun)
			if got := claim("a", slow, core.BulkFresh); got.ID != lifeTask(0, 1).ID {
				t.Errorf("%q goes into a call", got.ID)
			}
			none("the others are to connect", "a", slow, core.BulkFresh)
			first := claim("a", slow, core.BulkVisit)
			if first.ID != lifeTask(1, 1).ID {
				t.Fatalf("%q is visited first", first.ID)
			}
			none("one is under way", "b", slow, core.BulkVisit)
			none("too soon for the other runner's pace", "b", fast, core.BulkVisit)
			clock.Add(2 * time.Minute)
			none("one is under way still", "b", slow, core.BulkVisit)
			if got := due(slow); got != 58*time.Minute {
				t.Errorf("the next visit is due in %s", got)
			}
			must(t, l.Defer(ctx, first.Lease, time.Time{}, false, core.Event{Text: "done"}))
			if second := claim("b", fast, core.BulkVisit); second.ID != lifeTask(2, 1).ID {
				t.Fatalf("%q is visited second", second.ID)
			}
			clock.Add(2 * time.Second)
			must(t, l.PauseSite(ctx, bulkDomain, "look"))
			none("a person has paused the site", "a", fast, core.BulkVisit)
			if got := due(fast); got != -1 {
				t.Errorf("a visit to a paused site is due in %s", got)
			}
			must(t, l.ResumeSite(ctx, bulkDomain))
			if third := claim("a", fast, core.BulkVisit); third.ID != lifeTask(3, 1).ID {
				t.Errorf("%q is visited third, beside the second", third.ID)
			}
			clock.Add(-time.Hour)
			if got := due(fast); got > 3*time.Hour {
				t.Errorf("after the clock went back a visit is due in %s", got)
			}
			clock.Add(2*time.Hour + time.Minute)
			if again := claim("c", slow, core.BulkVisit); again.ID != lifeTask(2, 1).ID {
				t.Errorf("after the leases %q is visited", again.ID)
			}
		})
	}
}

// bulkLoop does what the loop of a bulk site does, each method at least once.
func bulkLoop(t *testing.T, l *ledger.Ledger) {
	t.Helper()
	ctx := t.Context()
	site := bulkSite
	site.Domain, site.Visit = "bulk.org", &core.Pace{Every: time.Second, Concurrency: 1}
	now := moment("boot", 100)
	imp, err := l.AddImport(ctx, core.BulkImport{Domain: site.Domain, Name: "x", Digest: "x"}, bulkUsers(0, 3))
	must(t, err)
	_, err = l.AddImport(ctx, core.BulkImport{Domain: site.Domain, Name: "x", Digest: "x", Batch: 2}, bulkUsers(0, 3))
	must(t, err)
	_, err = l.Imports(ctx, site.Domain)
	must(t, err)
	must(t, l.ImportRows(ctx, imp.ID, func(core.BulkRow) error { return nil }))
	task, visit := lifeTask(7, 1), lifeTask(8, 1)
	task.Domain, visit.Domain, visit.Kind = site.Domain, site.Domain, core.Connect
	for _, a := range []core.Task{task, visit} {
		_, err = ledgertest.Admit(ctx, l, a, time.Time{})
		must(t, err)
	}
	if _, err := l.BulkClaim(ctx, "bench", site, time.Hour, core.BulkBegun); !errors.Is(err, core.ErrNothing) {
		t.Fatalf("begun: %v", err)
	}
	_, err = l.BulkClaim(ctx, "bench", site, time.Hour, core.BulkVisit)
	must(t, err)
	rec, err := l.BulkClaim(ctx, "bench", site, time.Hour, core.BulkFresh)
	must(t, err)
	for _, s := range []core.State{core.Starting, core.Prepared} {
		rec, err = l.Advance(ctx, rec.Lease, core.Move{To: s})
		must(t, err)
	}
	if _, err := l.BulkTwin(ctx, site.Domain, "nobody@x.vn", "nobody", rec.ID); !errors.Is(err, core.ErrNothing) {
		t.Fatalf("twin: %v", err)
	}
	_, err = l.BulkWindow(ctx, site, now)
	must(t, err)
	_, err = l.BulkWindow(ctx, site, moment("another boot", 0))
	must(t, err)
	rows := []core.BulkRow(nil)
	must(t, l.ImportRows(ctx, imp.ID, func(r core.BulkRow) error { rows = append(rows, r); return nil }))
	_, err = l.BulkNext(ctx, site.Domain, 2)
	must(t, err)
	user := bulkUsers(7, 1)[0]
	batch, err := l.BulkBegin(ctx, core.BulkBegin{Site: site, Now: now, Hash: "h", Rows: []string{rows[0].ID, rows[1].ID},
		Tasks: []core.BulkTask{{Lease: rec.Lease, Row: core.BulkRow{Fields: user.Fields}, Intent: core.Intent{Name: "call",
			Username: user.Fields["username"], Email: user.Fields["email"], Password: user.Fields["password"]}}}})
	must(t, err)
	_, err = l.BulkOpen(ctx, site.Domain)
	must(t, err)
	end := bulkEnd(batch, now, core.BulkUncertain)
	end.Domain, end.Hold = site.Domain, "look"
	end.Rows[2].Moves = []core.Move{{To: core.Unknown}}
	must(t, l.BulkEnd(ctx, end))
	must(t, l.ResumeSite(ctx, site.Domain))
}
