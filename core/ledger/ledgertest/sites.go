package ledgertest

import (
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

func testSites(t *testing.T, open Opener) {
	saw := func(r *room, cause string, want time.Duration) {
		r.Helper()
		until, err := r.SiteSaw(r.ctx, site, cause, 3, time.Minute)
		r.must(err)
		var at time.Time
		if want != 0 {
			at = r.clock.Now().Add(want)
		}
		equal(r, "paused until after "+cause, until, at)
	}
	t.Run("the same cause in a row pauses, another one or a success begins anew", func(t *testing.T) {
		r := newRoom(t, open)
		saw(r, "layout", 0)
		saw(r, "layout", 0)
		saw(r, "timeout", 0)
		saw(r, "layout", 0)
		saw(r, "layout", 0)
		saw(r, "", 0)
		saw(r, "layout", 0)
		saw(r, "layout", 0)
		saw(r, "layout", time.Minute)
		r.admit("1")
		r.nothing(owner)
		next, err := r.NextDue(r.ctx, owner)
		r.must(err)
		equal(r, "next", next, r.clock.Now().Add(time.Minute))
		ss, err := r.Sites(r.ctx)
		r.must(err)
		equal(r, "why", ss[0].PausedWhy, "layout")
		equal(r, "until", ss[0].PausedUntil, r.clock.Now().Add(time.Minute))
		equal(r, "by person", ss[0].ByPerson, false)
	})
	t.Run("after a pause there is one try, and each failure doubles up to a day", func(t *testing.T) {
		r := newRoom(t, open)
		r.admit("1", "2")
		for range 2 {
			saw(r, "layout", 0)
		}
		pause := time.Minute
		saw(r, "layout", pause)
		for range 15 {
			r.clock.Add(pause)
			r.beat()
			rec := r.claim()
			r.nothing(owner) // half-open: no second one
			r.must(r.Defer(r.ctx, rec.Lease, r.clock.Now(), false, core.Event{}))
			pause = min(2*pause, 24*time.Hour)
			saw(r, "layout", pause)
			r.nothing(owner)
		}
		equal(r, "longest pause", pause, 24*time.Hour)
		r.clock.Add(pause)
		r.beat()
		r.claim()
		saw(r, "", 0)
		r.claim() // open again
	})
	t.Run("failures of visits that began before the pause do not lengthen it", func(t *testing.T) {
		r := newRoom(t, open)
		for range 2 {
			saw(r, "layout", 0)
		}
		saw(r, "layout", time.Minute)
		r.clock.Add(10 * time.Second)
		saw(r, "layout", 50*time.Second)
	})
	t.Run("a person's pause lasts until a person ends it", func(t *testing.T) {
		r := newRoom(t, open)
		r.admit("1")
		r.must(r.PauseSite(r.ctx, site, "asked by the owner"))
		r.nothing(owner)
		next, err := r.NextDue(r.ctx, owner)
		r.must(err)
		equal(r, "next", next, time.Time{})
		r.admit("2")
		r.must(r.PutSites(r.ctx, owner, []core.SiteLimits{limits(site, 3)}))
		r.clock.Add(100 * 24 * time.Hour)
		r.beat()
		if _, err := r.SiteSaw(r.ctx, site, "", 3, time.Minute); err != nil {
			t.Fatal(err)
		}
		r.nothing(owner)
		ss, err := r.Sites(r.ctx)
		r.must(err)
		equal(r, "by person", ss[0].ByPerson, true)
		equal(r, "why", ss[0].PausedWhy, "asked by the owner")
		r.must(r.ResumeSite(r.ctx, site))
		r.claim()
	})
	t.Run("a person's resume ends a pause that failures caused", func(t *testing.T) {
		r := newRoom(t, open)
		r.admit("1", "2")
		for range 2 {
			saw(r, "layout", 0)
		}
		saw(r, "layout", time.Minute)
		r.must(r.ResumeSite(r.ctx, site))
		r.claim()
		r.claim()
		saw(r, "layout", 0)
	})
	t.Run("sites and summary count by state", func(t *testing.T) {
		r := newRoom(t, open)
		r.admit("1", "2", "3")
		r.advance(r.claim().Lease, core.Move{To: core.Dropped})
		r.advance(r.claim().Lease, core.Move{To: core.Starting})
		r.admitTask(newTask("4", "other.example.org"))
		sum, err := r.Summary(r.ctx)
		r.must(err)
		equal(r, "summary", sum, []core.SiteCount{
			{Domain: "other.example.org", States: map[core.State]int{core.Ready: 1}},
			{Domain: site, States: map[core.State]int{core.Ready: 1, core.Starting: 1, core.Dropped: 1}}})
		ss, err := r.Sites(r.ctx)
		r.must(err)
		equal(r, "sites", len(ss), 2)
		equal(r, "waiting", ss[1].Waiting, 2)
		equal(r, "running", ss[1].Running, 1)
		equal(r, "driver", ss[1].Driver, "test")
	})
}
