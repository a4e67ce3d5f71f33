package ledgertest

import (
	"fmt"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

func testClaims(t *testing.T, open Opener) {
	t.Run("the oldest due task of a site is first", func(t *testing.T) {
		r := newRoom(t, open)
		for i, id := range []string{"c", "a", "b"} {
			ok, err := Admit(r.ctx, r, newTask(id, site), r.clock.Now().Add(time.Duration(i)*time.Second))
			r.must(err)
			equal(r, "admitted", ok, true)
		}
		r.clock.Add(10 * time.Second)
		for _, id := range []string{"c", "a", "b"} {
			equal(r, "claimed", r.claim().ID, id)
		}
		r.nothing(owner)
	})
	t.Run("nothing is claimed before it is due, and NextDue says when", func(t *testing.T) {
		r := newRoom(t, open)
		next, err := r.NextDue(r.ctx, owner)
		r.must(err)
		equal(r, "next of an empty ledger", next, time.Time{})
		due := r.clock.Now().Add(5 * time.Minute)
		_, err = Admit(r.ctx, r, newTask("1", site), due)
		r.must(err)
		r.nothing(owner)
		next, err = r.NextDue(r.ctx, owner)
		r.must(err)
		equal(r, "next", next, due)
		r.clock.Add(5 * time.Minute)
		r.beat()
		rec := r.claim()
		equal(r, "claimed", rec.ID, "1")
		r.must(r.Defer(r.ctx, rec.Lease, time.Time{}, false, core.Event{Text: "for people"}))
		r.nothing(owner)
		next, err = r.NextDue(r.ctx, owner)
		r.must(err)
		equal(r, "next when only people can go on", next, time.Time{})
	})
	t.Run("each open state is claimed again after its lease is given back", func(t *testing.T) {
		r := newRoom(t, open)
		for i, s := range core.States {
			if s.Releases() {
				continue
			}
			id := fmt.Sprint(i)
			rec := r.reach(id, s)
			due := r.clock.Now().Add(time.Minute)
			r.must(r.Defer(r.ctx, rec.Lease, due, true, core.Event{Text: "broke"}))
			r.nothing(owner)
			r.clock.Add(time.Minute)
			r.beat()
			got := r.claim()
			equal(r, "claimed", got.ID, id)
			equal(r, "state", got.State, s)
			equal(r, "broken", got.Broken, 1)
			equal(r, "attempt", got.Attempt, 2)
			r.must(r.Defer(r.ctx, got.Lease, time.Time{}, false, core.Event{}))
		}
	})
	t.Run("unknown without a due time is a person's turn once the lease is given back", func(t *testing.T) {
		r := newRoom(t, open)
		rec := r.reach("1", core.Unknown)
		equal(r, "due", rec.Due, time.Time{})
		r.must(r.Defer(r.ctx, rec.Lease, time.Time{}, false, core.Event{}))
		r.must(r.Leave(r.ctx, owner))
		r.join(owner, limits(site, 3))
		r.nothing(owner)
	})
	t.Run("unknown that its runner left without a word is claimed again", func(t *testing.T) {
		r := newRoom(t, open)
		r.reach("1", core.Unknown)
		r.must(r.Leave(r.ctx, owner))
		r.join(owner, limits(site, 3))
		equal(r, "state", r.claim().State, core.Unknown)
	})
	t.Run("unknown with a due time is claimed then", func(t *testing.T) {
		r := newRoom(t, open)
		rec := r.reach("1", core.Prepared)
		due := r.clock.Now().Add(time.Minute)
		rec = r.advance(rec.Lease, core.Move{To: core.Unknown, Due: due})
		r.must(r.Defer(r.ctx, rec.Lease, due, false, core.Event{}))
		r.nothing(owner)
		r.clock.Add(time.Minute)
		r.beat()
		equal(r, "state", r.claim().State, core.Unknown)
	})
	t.Run("a site that the owner does not run is left alone", func(t *testing.T) {
		r := newRoom(t, open)
		r.admitTask(newTask("1", "other.example.org"))
		r.nothing(owner)
		next, err := r.NextDue(r.ctx, owner)
		r.must(err)
		equal(r, "next", next, time.Time{})
		r.must(r.PutSites(r.ctx, owner, []core.SiteLimits{limits("other.example.org", 1)}))
		equal(r, "claimed", r.claim().ID, "1")
	})
	t.Run("the backlog of one site does not starve another", func(t *testing.T) {
		r := newRoom(t, open)
		r.must(r.PutSites(r.ctx, owner, []core.SiteLimits{limits("a.org", 100), limits("b.org", 100), limits("c.org", 100)}))
		for i := range 30 {
			r.admitTask(newTask(fmt.Sprintf("a%02d", i), "a.org"))
		}
		r.clock.Add(time.Second)
		for i := range 3 {
			r.admitTask(newTask(fmt.Sprintf("b%02d", i), "b.org"))
			r.admitTask(newTask(fmt.Sprintf("c%02d", i), "c.org"))
		}
		seen := map[string]int{}
		for range 9 {
			r.clock.Add(time.Millisecond)
			seen[r.claim().Domain]++
		}
		equal(r, "claims by site", seen, map[string]int{"a.org": 3, "b.org": 3, "c.org": 3})
	})
	t.Run("a record that is claimed is whole", func(t *testing.T) {
		r := newRoom(t, open)
		r.admit("1")
		rec := r.claim()
		equal(r, "record", rec, r.task("1"))
		equal(r, "round", rec.Round, 1)
		equal(r, "attempt", rec.Attempt, 1)
		equal(r, "lease", rec.Lease, core.Lease{TaskID: "1", Owner: owner, Epoch: 1})
		equal(r, "password", rec.Entity.Get(core.FieldPassword).Reveal(), "password of 1")
	})
	t.Run("a thousand tasks are each claimed once", func(t *testing.T) {
		r := newRoom(t, open)
		r.must(r.PutSites(r.ctx, owner, []core.SiteLimits{limits(site, 1000)}))
		const n = 200
		for i := range n {
			r.admit(fmt.Sprintf("%04d", i))
		}
		seen := map[string]bool{}
		for range n {
			rec := r.claim()
			if seen[rec.ID] {
				t.Fatalf("%s was claimed twice", rec.ID)
			}
			seen[rec.ID] = true
		}
		r.nothing(owner)
	})
}

func testLimits(t *testing.T, open Opener) {
	t.Run("no more visits at a time than the site's concurrency", func(t *testing.T) {
		r := newRoom(t, open)
		r.admit("1", "2", "3", "4", "5")
		recs := []core.Record{r.claim(), r.claim(), r.claim()}
		r.nothing(owner)
		r.advance(recs[0].Lease, core.Move{To: core.Dropped})
		r.claim()
		r.nothing(owner)
		r.must(r.Defer(r.ctx, recs[1].Lease, time.Time{}, false, core.Event{}))
		r.claim()
		r.nothing(owner)
	})
	t.Run("held and kept leases count, waiting ones do not", func(t *testing.T) {
		r := newRoom(t, open)
		r.must(r.PutSites(r.ctx, owner, []core.SiteLimits{limits(site, 1)}))
		r.admit("1")
		rec := r.claim()
		r.admit("2")
		for _, s := range paths[core.Held] {
			rec = r.advance(rec.Lease, r.move("1", s))
			r.nothing(owner)
		}
		r.step(rec, core.Parked)
		equal(r, "claimed", r.claim().ID, "2")
	})
	t.Run("visits keep the site's pace", func(t *testing.T) {
		r := newRoom(t, open)
		slow := limits(site, 10)
		slow.Every = 30 * time.Second
		r.must(r.PutSites(r.ctx, owner, []core.SiteLimits{slow}))
		r.admit("1", "2", "3")
		r.claim()
		r.nothing(owner)
		next, err := r.NextDue(r.ctx, owner)
		r.must(err)
		equal(r, "next", next, r.clock.Now().Add(30*time.Second))
		r.clock.Add(29 * time.Second)
		r.beat()
		r.nothing(owner)
		r.clock.Add(time.Second)
		r.claim()
		r.nothing(owner)
	})
	t.Run("a quota counts tasks that begin, by UTC day, and spares those under way", func(t *testing.T) {
		r := newRoom(t, open)
		few := limits(site, 10)
		few.MaxPerDay = 2
		r.must(r.PutSites(r.ctx, owner, []core.SiteLimits{few}))
		r.admit("1", "2", "3")
		one := r.claim()
		r.claim()
		r.nothing(owner)
		midnight := time.Date(2027, 1, 16, 0, 0, 0, 0, time.UTC)
		r.clock.Add(time.Second)
		rec := r.advance(one.Lease, core.Move{To: core.Starting})
		r.must(r.Defer(r.ctx, rec.Lease, r.clock.Now(), false, core.Event{}))
		equal(r, "claimed beyond the quota", r.claim().ID, "1")
		r.nothing(owner)
		ss, err := r.Sites(r.ctx)
		r.must(err)
		equal(r, "today", ss[0].Today, 2)
		equal(r, "running", ss[0].Running, 2)
		equal(r, "waiting", ss[0].Waiting, 3)
		r.clock.Add(midnight.Sub(r.clock.Now()) - time.Second)
		r.beat()
		equal(r, "goes on after its lease expired", r.claim().ID, "1")
		r.nothing(owner) // the other one never left ready, so it counts again
		r.clock.Add(time.Second)
		r.beat()
		equal(r, "claimed at midnight", r.claim().ID, "2")
	})
	t.Run("a basis that expired ends the claims", func(t *testing.T) {
		r := newRoom(t, open)
		l := limits(site, 3)
		l.Expires = r.clock.Now().Add(lease / 2)
		r.must(r.PutSites(r.ctx, owner, []core.SiteLimits{l}))
		r.admit("1", "2")
		r.claim()
		r.clock.Add(lease / 2)
		r.nothing(owner)
		l.Expires = r.clock.Now().Add(time.Hour)
		r.must(r.PutSites(r.ctx, owner, []core.SiteLimits{l}))
		r.claim()
	})
	t.Run("a runner whose registration expired gets nothing until it beats", func(t *testing.T) {
		r := newRoom(t, open)
		r.admit("1")
		r.clock.Add(lease)
		r.nothing(owner)
		r.beat()
		r.claim()
	})
	t.Run("a site named twice is refused", func(t *testing.T) {
		r := newRoom(t, open)
		if err := r.PutSites(r.ctx, owner, []core.SiteLimits{limits(site, 1), limits(site, 2)}); err == nil {
			t.Fatal("taken")
		}
	})
}
