package ledgertest

import (
	"errors"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// testTogether is about what one transaction stores of several steps: all or nothing.
func testTogether(t *testing.T, open Opener) {
	starting := func(core.Record) (core.Move, bool) {
		return core.Move{To: core.Starting, Driver: "test", Digest: "d1", Event: core.Event{Text: "starting"}}, true
	}
	t.Run("tasks are admitted together, and an odd one is no obstacle", func(t *testing.T) {
		r := newRoom(t, open)
		r.reach("under way", core.Starting)
		r.reach("moved", core.Dropped)
		bad := newTask("bad", site)
		bad.Entity = bad.Entity.With(core.FieldAbout, core.Text("\xff"))
		out, err := r.Admit(r.ctx, []core.Task{newTask("b", site), bad, newTask("under way", site), newTask("moved", "other.example.org"),
			newTask("a", site), {ID: "nowhere"}, newTask("b", site)}, time.Time{})
		r.must(err)
		for i, want := range []struct{ ok, odd bool }{{ok: true}, {odd: true}, {}, {odd: true}, {ok: true}, {odd: true}, {}} {
			if out[i].OK != want.ok || (out[i].Err != nil) != want.odd {
				t.Errorf("task %d: %+v", i, out[i])
			}
		}
		equal(r, "first", r.claim().ID, "a")
		equal(r, "second", r.claim().ID, "b")
		r.nothing(owner)
		equal(r, "the moved one", r.task("moved").State, core.Dropped)
		_, err = r.Task(r.ctx, "bad")
		r.wants(err, core.ErrUnknownTask)
	})
	t.Run("a claim moves the task that it takes", func(t *testing.T) {
		r := newRoom(t, open)
		r.admit("1", "2")
		var asked core.Record
		rec, err := r.Claim(r.ctx, owner, lease, func(rec core.Record) (core.Move, bool) {
			asked = rec
			return starting(rec)
		})
		r.must(err)
		equal(r, "asked about", asked.ID+" "+string(asked.State), "1 ready")
		equal(r, "state", rec.State, core.Starting)
		equal(r, "stored", r.task("1"), rec)
		equal(r, "driver", rec.Driver+" "+rec.Digest, "test d1")
		evs, err := r.Events(r.ctx, "1")
		r.must(err)
		equal(r, "last event", evs[len(evs)-1].Text, "starting")
		r.advance(rec.Lease, core.Move{To: core.Prepared})
		rec, err = r.Claim(r.ctx, owner, lease, func(core.Record) (core.Move, bool) { return core.Move{}, false })
		r.must(err)
		equal(r, "left as it is", rec.State, core.Ready)
	})
	t.Run("a claim whose move is wrong takes nothing", func(t *testing.T) {
		for _, m := range []core.Move{{To: core.Profiled}, {To: core.Dropped}} {
			r := newRoom(t, open)
			r.admit("1")
			if rec, err := r.Claim(r.ctx, owner, lease, func(core.Record) (core.Move, bool) { return m, true }); err == nil {
				t.Errorf("the claim moved the task to %s", rec.State)
			}
			equal(r, "state", r.task("1").State, core.Ready)
			equal(r, "owner", r.task("1").Lease.Owner, "")
		}
	})
	t.Run("a claimed start counts in the day's quota", func(t *testing.T) {
		r := newRoom(t, open)
		lim := limits(site, 3)
		lim.MaxPerDay = 1
		r.join(owner, lim)
		r.admit("1", "2")
		_, err := r.Claim(r.ctx, owner, lease, starting)
		r.must(err)
		r.nothing(owner)
	})
	t.Run("several moves are one, and none when one is wrong", func(t *testing.T) {
		r := newRoom(t, open)
		rec := r.reach("1", core.Confirmed)
		facts := core.Facts{core.FactLinkProfile: core.Text("https://" + site + "/1")}
		report := r.move("1", core.Reporting)
		if _, err := r.Advance(r.ctx, rec.Lease, core.Move{To: core.Profiled, Facts: facts}, core.Move{To: core.Starting}); err == nil {
			t.Fatal("a profile was followed by a start")
		}
		if _, err := r.Advance(r.ctx, rec.Lease, core.Move{To: core.Delayed, Due: r.clock.Now().Add(time.Hour)}, core.Move{To: core.Confirmed}); err == nil {
			t.Fatal("a task was moved after its lease was given back")
		}
		if _, err := r.Advance(r.ctx, rec.Lease); err == nil {
			t.Fatal("no move is a move")
		}
		equal(r, "unchanged", r.task("1"), rec)
		rec, err := r.Advance(r.ctx, rec.Lease, core.Move{To: core.Profiled, Facts: facts, Event: core.Event{Text: "first"}}, report)
		r.must(err)
		equal(r, "state", rec.State, core.Reporting)
		equal(r, "stored", r.task("1"), rec)
		equal(r, "facts", rec.Facts[core.FactLinkProfile].Reveal(), "https://"+site+"/1")
		evs, err := r.Events(r.ctx, "1")
		r.must(err)
		last := evs[len(evs)-2:]
		equal(r, "events", string(last[0].State)+" "+last[0].Text+" "+string(last[1].State), "profiled first reporting")
	})
	t.Run("a move books, or is not made", func(t *testing.T) {
		r := newRoom(t, open)
		book := func(id string) core.Move {
			return core.Move{To: core.Prepared, Facts: core.Facts{"f": core.Text("v")}, Book: &core.Booking{Password: core.Secret("p " + id),
				Identities: []core.Identity{{Kind: core.FieldEmail, Value: core.Text("a@x.org")}, {Kind: core.FieldUsername, Value: core.Text("ann")}}}}
		}
		one := r.reach("1", core.Starting)
		r.advance(one.Lease, book("1"))
		two := r.reach("2", core.Starting)
		_, err := r.Advance(r.ctx, two.Lease, book("2"))
		var taken *core.TakenError
		if !errors.As(err, &taken) || taken.TaskID != "1" {
			t.Fatalf("the second booking: %v", err)
		}
		equal(r, "unchanged", r.task("2"), two)
		r.must(r.Reserve(r.ctx, one.Lease, *book("1").Book)) // its own
	})
	t.Run("a report is claimed with the move that makes it", func(t *testing.T) {
		r := newRoom(t, open)
		rec := r.reach("1", core.Failed)
		m := r.move("1", core.Reporting)
		m.Deliver = lease
		rec = r.advance(rec.Lease, m)
		it := rec.Delivery
		if it == nil {
			t.Fatal("nothing was claimed")
		}
		equal(r, "report", it.Report, *m.Report)
		equal(r, "item", [3]any{it.TaskID, it.Kind, it.Owner}, [3]any{"1", core.Onboard, owner})
		if again := r.task("1").Delivery; again != nil {
			t.Errorf("a record that was read has the delivery %+v", again)
		}
		_, err := r.ClaimReport(r.ctx, "runner-2", lease)
		r.wants(err, core.ErrNothing)
		next, err := r.NextReport(r.ctx)
		r.must(err)
		equal(r, "next", next, r.clock.Now().Add(lease))
		r.clock.Add(lease)
		other, err := r.ClaimReport(r.ctx, "runner-2", lease)
		r.must(err)
		equal(r, "the same report", other.ID, it.ID)
		r.wants(r.SettleReport(r.ctx, *it, core.Reported, core.Event{}), core.ErrLeaseLost)
		r.must(r.SettleReport(r.ctx, other, core.Reported, core.Event{}))
	})
}
