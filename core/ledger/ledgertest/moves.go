package ledgertest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

func testMoves(t *testing.T, open Opener) {
	t.Run("every edge of the chart can be taken", func(t *testing.T) {
		r := newRoom(t, open)
		n := 0
		for _, from := range core.States {
			for _, to := range from.Next() {
				n++
				id := fmt.Sprintf("t%03d", n)
				rec := r.step(r.reach(id, from), to)
				equal(r, fmt.Sprintf("state after %s → %s", from, to), rec.State, to)
				equal(r, "stored state", r.task(id).State, to)
				if !to.Releases() && to != core.Ready {
					r.must(r.Defer(r.ctx, rec.Lease, time.Time{}, false, core.Event{})) // out of the way of the next
				} else if to == core.Ready {
					rec, err := r.Claim(r.ctx, owner, lease, nil)
					if err == nil {
						r.must(r.Defer(r.ctx, rec.Lease, time.Time{}, false, core.Event{}))
					}
				}
				for {
					it, err := r.ClaimReport(r.ctx, owner, lease)
					if errors.Is(err, core.ErrNothing) {
						break
					}
					r.must(err)
					r.must(r.SettleReport(r.ctx, it, core.Reported, core.Event{}))
				}
				if to == core.Delayed {
					r.clock.Add(time.Minute)
					r.beat()
					r.must(r.Defer(r.ctx, r.claim().Lease, time.Time{}, false, core.Event{}))
				}
			}
		}
	})
	t.Run("no other edge can, and trying changes nothing", func(t *testing.T) {
		r := newRoom(t, open)
		for i, from := range core.States {
			rec := r.reach(fmt.Sprintf("t%03d", i), from)
			switch {
			case from == core.Delayed:
				r.clock.Add(time.Minute)
				r.beat()
				rec = r.claim()
			case from == core.Parked:
				r.must(r.Retry(r.ctx, rec.ID, "ann"))
				rec = r.claim()
			}
			before := r.task(rec.ID)
			for _, to := range core.States {
				if from.Move(to) == nil {
					continue
				}
				_, err := r.Advance(r.ctx, rec.Lease, r.move(rec.ID, to))
				if from.Releases() && from != core.Delayed && from != core.Parked {
					r.wants(err, core.ErrLeaseLost)
					continue
				}
				var edge *core.EdgeError
				if !errors.As(err, &edge) || edge.From != from || edge.To != to {
					t.Fatalf("%s → %s: error %v", from, to, err)
				}
			}
			equal(r, "record", r.task(rec.ID), before)
			if !from.Releases() || from == core.Delayed || from == core.Parked {
				r.must(r.Defer(r.ctx, rec.Lease, time.Time{}, false, core.Event{}))
			}
			if from == core.Reporting {
				it, err := r.ClaimReport(r.ctx, owner, lease)
				r.must(err)
				r.must(r.SettleReport(r.ctx, it, core.Reported, core.Event{}))
			}
		}
	})
	t.Run("a move stores all it carries", func(t *testing.T) {
		r := newRoom(t, open)
		rec := r.reach("1", core.Prepared)
		out := &core.Outcome{Status: core.Rejected, Code: core.InvalidInput, Reason: "too short", Field: "username",
			Facts: core.Facts{"x": core.Secret("secret of x")}, Fields: map[string]string{"about": "set"}}
		r.advance(rec.Lease, core.Move{To: core.Delayed, Phase: core.Profile, Due: r.clock.Now().Add(time.Hour),
			Facts: core.Facts{"a": core.Text("1"), "b": core.Secret("2")}, Answer: out, Fault: "broke at x", Fields: map[string]string{"bio": "kept"},
			Driver: "d2", Digest: "beef", Event: core.Event{Text: "hello", Attrs: map[string]string{"k": "v"}}})
		got := r.task("1")
		equal(r, "from", got.From, core.Prepared)
		equal(r, "phase", got.Phase, core.Profile)
		equal(r, "due", got.Due, r.clock.Now().Add(time.Hour))
		equal(r, "fact b", got.Facts["b"].Reveal(), "2")
		equal(r, "fact b is secret", got.Facts["b"].IsSecret(), true)
		equal(r, "fact a is secret", got.Facts["a"].IsSecret(), false)
		equal(r, "answer's fact", got.Answer.Facts["x"].Reveal(), "secret of x")
		got.Answer.Facts = out.Facts
		equal(r, "answer", got.Answer, out)
		equal(r, "fault", got.Fault, "broke at x")
		equal(r, "fields", got.Fields, map[string]string{"bio": "kept"})
		equal(r, "driver", got.Driver+got.Digest, "d2beef")
		equal(r, "waiting since", got.WaitingSince, r.clock.Now())
		equal(r, "lease", got.Lease.Owner, "")
		want := newTask("1", site)
		equal(r, "entity", got.Entity, want.Entity)
		equal(r, "options", got.Options, want.Options)
		equal(r, "language", got.Language, "vi")
		evs, err := r.Events(r.ctx, "1")
		r.must(err)
		last := evs[len(evs)-1]
		equal(r, "event", last, core.Event{At: r.clock.Now(), Kind: "state", State: core.Delayed, Phase: core.Profile, Level: "INFO",
			Text: "hello", Attrs: map[string]string{"k": "v"}})
	})
	t.Run("a series of waits has one begin, which progress ends", func(t *testing.T) {
		r := newRoom(t, open)
		rec := r.reach("1", core.Delayed)
		begin := r.clock.Now()
		rec = r.step(rec, core.Prepared)
		equal(r, "after coming back", rec.WaitingSince, begin)
		rec = r.step(rec, core.Delayed)
		equal(r, "second wait", rec.WaitingSince, begin)
		rec = r.step(rec, core.Prepared)
		rec = r.step(rec, core.Intended)
		equal(r, "after progress", rec.WaitingSince, time.Time{})
	})
	t.Run("held and then parked keeps the state to go back to", func(t *testing.T) {
		r := newRoom(t, open)
		rec := r.reach("1", core.Held)
		equal(r, "held from", rec.From, core.Prepared)
		equal(r, "held keeps its lease", rec.Lease.Owner, owner)
		rec = r.step(rec, core.Parked)
		equal(r, "parked from", rec.From, core.Prepared)
		equal(r, "parked gave its lease back", rec.Lease.Owner, "")
		equal(r, "parked due", rec.Due, time.Time{})
		rec = r.step(rec, core.Prepared)
		equal(r, "from", rec.From, core.State(""))
	})
	t.Run("a record says whether it was reported as done", func(t *testing.T) {
		r := newRoom(t, open)
		rec := r.reach("1", core.Failed)
		m := r.move("1", core.Reporting)
		m.Report.Complete = false
		equal(r, "failed", r.advance(rec.Lease, m).Done, false)
		rec = r.reach("2", core.Profiled)
		r.advance(rec.Lease, r.move("2", core.Reporting))
		equal(r, "complete", r.task("2").Done, true)
	})
	t.Run("waiting needs a due time", func(t *testing.T) {
		r := newRoom(t, open)
		rec := r.reach("1", core.Prepared)
		if _, err := r.Advance(r.ctx, rec.Lease, core.Move{To: core.Delayed}); err == nil {
			t.Fatal("taken")
		}
		equal(r, "state", r.task("1").State, core.Prepared)
	})
	t.Run("text that a database can't hold is mended, a value that would change is refused", func(t *testing.T) {
		r := newRoom(t, open)
		rec := r.reach("1", core.Starting)
		rec = r.advance(rec.Lease, core.Move{To: core.Prepared, Fault: "a\x00b\xff", Event: core.Event{Text: "x\x00\xfey"}})
		equal(r, "fault", rec.Fault, "ab\uFFFD")
		if _, err := r.Advance(r.ctx, rec.Lease, core.Move{To: core.Failed, Facts: core.Facts{"pin": core.Secret("\xff")}}); err == nil {
			t.Fatal("a fact that is not UTF-8 was taken")
		}
		bad := newTask("2", site)
		bad.Entity = bad.Entity.With(core.FieldPassword, core.Secret("p\xff"))
		if _, err := Admit(r.ctx, r, bad, time.Time{}); err == nil {
			t.Fatal("a password that is not UTF-8 was taken")
		}
	})
}
