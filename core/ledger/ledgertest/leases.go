package ledgertest

import (
	"fmt"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/ledger"
)

// withLease are all methods that a lease is for.
func (r *room) withLease() map[string]func(core.Lease) error {
	ask := core.Ask{Kind: core.AskAnswer, Code: core.OTPSMS, Say: "type the code"}
	return map[string]func(core.Lease) error{
		"Advance": func(l core.Lease) error { _, err := r.Advance(r.ctx, l, core.Move{To: core.Failed}); return err },
		"Note": func(l core.Lease) error {
			return r.Note(r.ctx, l, core.Facts{"a": core.Text("b")}, core.Event{Text: "x"})
		},
		"Defer": func(l core.Lease) error { return r.Defer(r.ctx, l, time.Time{}, true, core.Event{Text: "x"}) },
		"Reserve": func(l core.Lease) error {
			return r.Reserve(r.ctx, l, core.Booking{Password: core.Secret("p"), Identities: []core.Identity{{Kind: core.FieldEmail, Value: core.Text("a@b.example")}}})
		},
		"OpenAsk": func(l core.Lease) error {
			_, _, _, err := r.OpenAsk(r.ctx, l, ask, r.clock.Now().Add(time.Hour))
			return err
		},
		"TakeAnswer": func(l core.Lease) error { _, _, err := r.TakeAnswer(r.ctx, l, "none"); return err },
		"CloseAsk":   func(l core.Lease) error { return r.CloseAsk(r.ctx, l, "none") },
		"SetShot":    func(l core.Lease) error { return r.SetShot(r.ctx, l, "none", "p") },
	}
}

func testLeases(t *testing.T, open Opener) {
	t.Run("only the holder of a live lease may do anything", func(t *testing.T) {
		r := newRoom(t, open)
		rec := r.reach("1", core.Prepared)
		cases := map[string]core.Lease{
			"another owner": {TaskID: "1", Owner: "other", Epoch: rec.Lease.Epoch},
			"no owner":      {TaskID: "1", Epoch: rec.Lease.Epoch},
			"older epoch":   {TaskID: "1", Owner: owner, Epoch: rec.Lease.Epoch - 1},
			"newer epoch":   {TaskID: "1", Owner: owner, Epoch: rec.Lease.Epoch + 1},
			"no such task":  {TaskID: "2", Owner: owner, Epoch: 1},
		}
		before := r.task("1")
		events, err := r.Events(r.ctx, "1")
		r.must(err)
		for what, l := range cases {
			for name, call := range r.withLease() {
				if err := call(l); err == nil || err.Error() != core.ErrLeaseLost.Error() {
					t.Errorf("%s with %s: %v", name, what, err)
				}
			}
		}
		r.clock.Add(lease)
		for name, call := range r.withLease() {
			if err := call(rec.Lease); err == nil || err.Error() != core.ErrLeaseLost.Error() {
				t.Errorf("%s with an expired lease: %v", name, err)
			}
		}
		equal(r, "record", r.task("1"), before)
		after, err := r.Events(r.ctx, "1")
		r.must(err)
		equal(r, "events", after, events)
	})
	t.Run("a lease that expired makes the task due at once, for another", func(t *testing.T) {
		r := newRoom(t, open)
		rec := r.reach("1", core.Intended)
		r.clock.Add(lease)
		r.nothing(owner) // its registration expired too
		r.join("runner-2", limits(site, 3))
		got := r.claimFor("runner-2")
		equal(r, "task", got.ID, "1")
		equal(r, "state", got.State, core.Intended)
		equal(r, "epoch", got.Lease.Epoch, rec.Lease.Epoch+1)
		equal(r, "intent", got.Intent.Password.Reveal(), "password of 1")
		equal(r, "mark", got.Intent.Mark, core.MailMark{UIDValidity: 7, UIDNext: 42})
		for name, call := range r.withLease() {
			if err := call(rec.Lease); err == nil || err.Error() != core.ErrLeaseLost.Error() {
				t.Errorf("%s of the former owner: %v", name, err)
			}
		}
		held, err := r.Beat(r.ctx, owner, lease)
		if err != nil {
			r.wants(err, ledger.ErrNotJoined) // where the new runner's coming ends the old one
		}
		equal(r, "held by the former owner", len(held), 0)
	})
	t.Run("a task whose lease ran out goes before those that nobody has begun", func(t *testing.T) {
		r := newRoom(t, open)
		r.admit("1", "2", "3", "4")
		equal(r, "first", r.claim().ID, "1")
		equal(r, "second", r.claim().ID, "2")
		r.clock.Add(lease)
		r.beat()
		for _, id := range []string{"1", "2", "3"} {
			equal(r, "task", r.claim().ID, id)
		}
		r.nothing(owner)
	})
	t.Run("a beat keeps a lease, and can't wake an expired one", func(t *testing.T) {
		r := newRoom(t, open)
		rec := r.reach("1", core.Prepared)
		for range 5 {
			r.clock.Add(lease / 2)
			held, err := r.Beat(r.ctx, owner, lease)
			r.must(err)
			equal(r, "held", held, map[string]int64{"1": rec.Lease.Epoch})
		}
		r.must(r.Note(r.ctx, rec.Lease, nil))
		r.clock.Add(lease)
		held, err := r.Beat(r.ctx, owner, lease)
		r.must(err)
		equal(r, "held", len(held), 0)
		r.wants(r.Note(r.ctx, rec.Lease, nil), core.ErrLeaseLost)
		equal(r, "claimed again", r.claim().Lease.Epoch, rec.Lease.Epoch+1)
	})
	t.Run("leaving gives the tasks back", func(t *testing.T) {
		r := newRoom(t, open)
		rec := r.reach("1", core.Submitted)
		r.must(r.Leave(r.ctx, owner))
		r.wants(r.Note(r.ctx, rec.Lease, nil), core.ErrLeaseLost)
		if _, err := r.Beat(r.ctx, owner, lease); err == nil {
			t.Fatal("a runner that left can beat")
		}
		r.join("runner-2", limits(site, 3))
		equal(r, "task", r.claimFor("runner-2").ID, "1")
	})
	t.Run("the right to list has one holder", func(t *testing.T) {
		r := newRoom(t, open)
		take := func(owner string, want bool) {
			t.Helper()
			got, err := r.TakeList(r.ctx, owner, lease)
			r.must(err)
			equal(r, owner+" has the list", got, want)
		}
		take("a", true)
		take("b", false)
		r.clock.Add(lease / 2)
		take("a", true)
		r.clock.Add(lease / 2)
		take("b", false)
		r.clock.Add(lease / 2)
		take("b", true)
		take("a", false)
		r.must(r.Leave(r.ctx, "b"))
		take("a", true)
	})
	t.Run("a move tells subscribers, many at once tell them once", func(t *testing.T) {
		r := newRoom(t, open)
		c, cancel := r.Subscribe()
		for i := range 5 {
			r.admit(fmt.Sprint(i))
		}
		<-c
		cancel()
		for range c { // at most one token was left
		}
	})
}
