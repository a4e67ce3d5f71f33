package ledgertest

import (
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

func testPeople(t *testing.T, open Opener) {
	// unknown is a task past its intent whose probe could not decide.
	unknown := func(r *room) core.Record {
		r.Helper()
		rec := r.reach("1", core.Intended)
		rec = r.advance(rec.Lease, core.Move{To: core.Unknown})
		r.must(r.Defer(r.ctx, rec.Lease, time.Time{}, false, core.Event{}))
		r.nothing(owner)
		return rec
	}
	t.Run("created: the intent's account is proved", func(t *testing.T) {
		r := newRoom(t, open)
		unknown(r)
		r.must(r.Resolve(r.ctx, "1", core.VerdictCreated, "ann"))
		rec := r.claim()
		equal(r, "state", rec.State, core.Confirmed)
		equal(r, "phase", rec.Phase, core.Login)
		equal(r, "intent", rec.Intent.State, core.IntentDone)
		equal(r, "username", rec.Account.Username.Reveal(), "user1")
		equal(r, "password", rec.Account.Password.Reveal(), "password of 1")
	})
	t.Run("absent: the task may register again", func(t *testing.T) {
		r := newRoom(t, open)
		unknown(r)
		r.must(r.Resolve(r.ctx, "1", core.VerdictAbsent, "ann"))
		rec := r.claim()
		equal(r, "state", rec.State, core.Prepared)
		equal(r, "intent", rec.Intent.State, core.IntentAbsent)
		r.advance(rec.Lease, r.move("1", core.Intended))
	})
	t.Run("fail: given up, and a later round still has to probe", func(t *testing.T) {
		r := newRoom(t, open)
		unknown(r)
		r.must(r.Resolve(r.ctx, "1", core.VerdictFail, "ann"))
		rec := r.claim()
		equal(r, "state", rec.State, core.Failed)
		equal(r, "intent", rec.Intent.State, core.IntentOpen)
	})
	t.Run("a runner that probes loses its lease", func(t *testing.T) {
		r := newRoom(t, open)
		rec := r.reach("1", core.Unknown)
		r.must(r.Resolve(r.ctx, "1", core.VerdictAbsent, "ann"))
		r.wants(r.Note(r.ctx, rec.Lease, nil), core.ErrLeaseLost)
		_, err := r.Advance(r.ctx, rec.Lease, core.Move{To: core.Intended})
		r.wants(err, core.ErrLeaseLost)
		if got := r.claim(); got.Lease.Epoch <= rec.Lease.Epoch {
			t.Fatalf("epoch %d after %d", got.Lease.Epoch, rec.Lease.Epoch)
		}
	})
	t.Run("a task that was parked while unknown is resolved too", func(t *testing.T) {
		r := newRoom(t, open)
		rec := r.reach("1", core.Unknown)
		r.advance(rec.Lease, core.Move{To: core.Parked})
		r.must(r.Resolve(r.ctx, "1", core.VerdictCreated, "ann"))
		rec = r.claim()
		equal(r, "state", rec.State, core.Confirmed)
		equal(r, "account without an intent", rec.Account.Username.Reveal(), "user1")
	})
	t.Run("only unknown is resolved, by a known word", func(t *testing.T) {
		r := newRoom(t, open)
		unknown(r)
		if err := r.Resolve(r.ctx, "1", "perhaps", "ann"); err == nil {
			t.Error("an unknown verdict was taken")
		}
		r.reach("2", core.Prepared)
		if err := r.Resolve(r.ctx, "2", core.VerdictAbsent, "ann"); err == nil {
			t.Error("a task in prepared was resolved")
		}
		r.wants(r.Resolve(r.ctx, "none", core.VerdictAbsent, "ann"), core.ErrUnknownTask)
	})
	t.Run("retry makes a waiting or put-off task due now", func(t *testing.T) {
		r := newRoom(t, open)
		r.reach("1", core.Delayed)
		r.nothing(owner)
		r.must(r.Retry(r.ctx, "1", "ann"))
		rec := r.claim()
		equal(r, "state", rec.State, core.Delayed)
		rec = r.advance(rec.Lease, core.Move{To: core.Prepared})
		if err := r.Retry(r.ctx, "1", "ann"); err == nil {
			t.Error("a task under way was retried")
		}
		r.must(r.Defer(r.ctx, rec.Lease, time.Time{}, false, core.Event{}))
		r.nothing(owner)
		r.must(r.Retry(r.ctx, "1", "ann"))
		r.claim()
		r.wants(r.Retry(r.ctx, "none", "ann"), core.ErrUnknownTask)
		r.reach("2", core.Dropped)
		if err := r.Retry(r.ctx, "2", "ann"); err == nil {
			t.Error("a final task was retried")
		}
	})
	t.Run("retry sends a deferred report at once", func(t *testing.T) {
		r := newRoom(t, open)
		r.reach("1", core.Reporting)
		it, err := r.ClaimReport(r.ctx, owner, lease)
		r.must(err)
		r.must(r.DeferReport(r.ctx, it, r.clock.Now().Add(time.Hour), core.Event{}))
		r.must(r.Retry(r.ctx, "1", "ann"))
		_, err = r.ClaimReport(r.ctx, owner, lease)
		r.must(err)
	})
	t.Run("what a person did is on the time line", func(t *testing.T) {
		r := newRoom(t, open)
		unknown(r)
		r.must(r.Resolve(r.ctx, "1", core.VerdictCreated, "ann"))
		evs, err := r.Events(r.ctx, "1")
		r.must(err)
		equal(r, "text", evs[len(evs)-1].Text, "ann resolved it as created")
	})
}
