package ledgertest

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/ledger"
)

func testRounds(t *testing.T, open Opener) {
	t.Run("a task that is not final is left alone", func(t *testing.T) {
		r := newRoom(t, open)
		for i, s := range core.States {
			if s.Final() {
				continue
			}
			id := string(rune('a' + i))
			rec := r.reach(id, s)
			ok, err := Admit(r.ctx, r, newTask(id, site), time.Time{})
			r.must(err)
			equal(r, "admitted in "+string(s), ok, false)
			equal(r, "record", r.task(id), rec)
			if !s.Releases() {
				r.must(r.Defer(r.ctx, rec.Lease, time.Time{}, false, core.Event{}))
			}
		}
	})
	t.Run("a final one begins its next round, with what was learnt", func(t *testing.T) {
		for _, s := range []core.State{core.Reported, core.Overtaken, core.Dropped} {
			r := newRoom(t, open)
			r.admit("1")
			rec := r.claim()
			answer := &core.Outcome{Status: core.Rejected, Code: core.Banned, Reason: "no"}
			r.must(r.Note(r.ctx, rec.Lease, core.Facts{"user_id": core.Text("77")}))
			if s != core.Dropped {
				for _, to := range paths[core.Intended] {
					rec = r.advance(rec.Lease, r.move("1", to))
				}
				r.must(r.Defer(r.ctx, rec.Lease, r.clock.Now(), true, core.Event{}))
				rec = r.claim()
				rec = r.advance(rec.Lease, core.Move{To: core.Unknown})
				rec = r.advance(rec.Lease, core.Move{To: core.Confirmed, End: core.IntentDone, Phase: core.Profile,
					Account: &core.Account{Username: core.Text("u")}, Fault: "slow"})
				rec = r.advance(rec.Lease, core.Move{To: core.Failed, Answer: answer})
				rec = r.step(rec, core.Reporting)
			}
			rec = r.step(rec, s)
			equal(r, "due", rec.Due, time.Time{})
			due := r.clock.Now().Add(time.Minute)
			again := newTask("1", site)
			again.RequestID = "r2"
			ok, err := Admit(r.ctx, r, again, due)
			r.must(err)
			equal(r, "admitted", ok, true)
			r.nothing(owner)
			r.clock.Add(time.Minute)
			r.beat()
			got := r.claim()
			equal(r, "state", got.State, core.Ready)
			equal(r, "round", got.Round, 2)
			equal(r, "broken", got.Broken, 0)
			equal(r, "phase", got.Phase, core.Phase(""))
			equal(r, "fault", got.Fault, "")
			equal(r, "request", got.RequestID, "r2")
			equal(r, "changed", got.Changed, false)
			equal(r, "new secrets", got.NewSecrets, false)
			equal(r, "fact", got.Facts["user_id"].Reveal(), "77")
			if s != core.Dropped {
				equal(r, "answer", got.Answer, answer)
				equal(r, "account", got.Account.Username.Reveal(), "u")
				equal(r, "intent", got.Intent.State, core.IntentDone)
			}
		}
	})
	t.Run("what changed since the last round is told apart", func(t *testing.T) {
		base := newTask("1", site)
		base.Entity.Extra = map[string]json.RawMessage{"team": json.RawMessage(`"a"`), "retry_count": json.RawMessage(`0`)}
		with := func(name, v string) core.Task {
			n := base
			n.Entity = base.Entity.With(name, core.Secret(v))
			return n
		}
		extra := func(team, count string) core.Task {
			n := base
			n.Entity.Extra = map[string]json.RawMessage{"team": json.RawMessage(team), "retry_count": json.RawMessage(count)}
			return n
		}
		links := base
		links.Entity.Social = []string{"https://social.example/x"}
		connect := base
		connect.Kind = core.Connect
		options := base
		options.Options, options.Language = map[string]any{"a": true}, "en"
		for what, c := range map[string]struct {
			task             core.Task
			changed, secrets bool
		}{
			"nothing": {base, false, false}, "bio": {with(core.FieldAbout, "new"), true, false},
			"password": {with(core.FieldPassword, "new"), true, true}, "e-mail": {with(core.FieldEmail, "x@y.example"), true, true},
			"username": {with(core.FieldUsername, "new"), true, true}, "no username": {with(core.FieldUsername, ""), true, true},
			"links": {links, true, false}, "kind": {connect, true, false}, "settings of the site": {options, false, false},
			"an unknown field": {extra(`"b"`, `0`), true, false}, "the server's own count": {extra(`"a"`, `3`), false, false},
		} {
			r := newRoom(t, open)
			r.admitTask(base)
			r.advance(r.claim().Lease, core.Move{To: core.Dropped})
			known, err := r.Look(r.ctx, []core.Task{c.task, newTask("none", site)})
			r.must(err)
			equal(r, what, known, map[string]core.Known{"1": {State: core.Dropped, Round: 1, SameEntity: !c.changed,
				SameCredentials: !c.secrets, Updated: r.clock.Now()}})
			r.admitTask(c.task)
			rec := r.claim()
			equal(r, what+" changed", rec.Changed, c.changed)
			equal(r, what+" has new secrets", rec.NewSecrets, c.secrets)
			equal(r, what+" entity", rec.Entity, c.task.Entity)
		}
	})
	t.Run("a known id on another site is refused", func(t *testing.T) {
		r := newRoom(t, open)
		r.reach("1", core.Dropped)
		if ok, err := Admit(r.ctx, r, newTask("1", "other.example.org"), time.Time{}); err == nil || ok {
			t.Fatalf("admitted %v, error %v", ok, err)
		}
		equal(r, "state", r.task("1").State, core.Dropped)
	})
	t.Run("many ids are looked up", func(t *testing.T) {
		r := newRoom(t, open)
		var all []core.Task
		for i := range 250 {
			all = append(all, newTask(string(rune('a'+i%26))+string(rune('a'+i/26)), site))
			if i%2 == 0 {
				r.admitTask(all[i])
			}
		}
		known, err := r.Look(r.ctx, all)
		r.must(err)
		equal(r, "known", len(known), 125)
	})
}

func testIntents(t *testing.T, open Opener) {
	t.Run("an intent is whole and open until it ends", func(t *testing.T) {
		r := newRoom(t, open)
		rec := r.reach("1", core.Intended)
		in := rec.Intent
		equal(r, "stored", r.task("1").Intent, in)
		equal(r, "state", in.State, core.IntentOpen)
		equal(r, "at", in.At, r.clock.Now())
		equal(r, "committed", in.Committed, false)
		equal(r, "password is secret", in.Password.IsSecret(), true)
		rec = r.advance(rec.Lease, core.Move{To: core.Submitted, Committed: true})
		equal(r, "committed", rec.Intent.Committed, true)
		rec = r.advance(rec.Lease, core.Move{To: core.Refused, End: core.IntentRefused})
		equal(r, "ended", r.task("1").Intent.State, core.IntentRefused)
		rec = r.advance(rec.Lease, core.Move{To: core.Prepared})
		rec = r.advance(rec.Lease, r.move("1", core.Intended))
		if rec.Intent.ID == in.ID || rec.Intent.State != core.IntentOpen {
			t.Fatalf("the newest intent is %+v", rec.Intent)
		}
		equal(r, "key", rec.Intent.Key, in.Key)
	})
	t.Run("a second open intent on the same name is refused, however it is written", func(t *testing.T) {
		r := newRoom(t, open)
		r.reach("1", core.Intended)
		rec := r.reach("2", core.Prepared)
		m := r.move("1", core.Intended)
		m.Intent.Email, m.Intent.Username = core.Text(" 1@MAIL.example"), core.Text("USER1")
		_, err := r.Advance(r.ctx, rec.Lease, m)
		var other *ledger.OpenIntentError
		if !errors.As(err, &other) || other.TaskID != "1" {
			t.Fatalf("error %v", err)
		}
		equal(r, "state", r.task("2").State, core.Prepared)
		r.advance(rec.Lease, r.move("2", core.Intended))
	})
	t.Run("a task whose intent is open gets no other", func(t *testing.T) {
		r := newRoom(t, open)
		rec := r.reach("1", core.Intended)
		rec = r.advance(rec.Lease, core.Move{To: core.Unknown})
		rec = r.advance(rec.Lease, core.Move{To: core.Prepared})
		_, err := r.Advance(r.ctx, rec.Lease, r.move("other", core.Intended))
		var open *ledger.OpenIntentError
		if !errors.As(err, &open) || open.TaskID != "1" {
			t.Fatalf("error %v", err)
		}
	})
	t.Run("intent and the state intent belong together", func(t *testing.T) {
		r := newRoom(t, open)
		rec := r.reach("1", core.Prepared)
		for what, m := range map[string]core.Move{
			"no intent":          {To: core.Intended},
			"intent elsewhere":   {To: core.Failed, Intent: &core.Intent{}},
			"end without intent": {To: core.Failed, End: core.IntentDone},
			"report elsewhere":   {To: core.Failed, Report: &core.Report{}},
		} {
			if _, err := r.Advance(r.ctx, rec.Lease, m); err == nil {
				t.Errorf("%s: taken", what)
			}
		}
		equal(r, "state", r.task("1").State, core.Prepared)
	})
}

func testIdentities(t *testing.T, open Opener) {
	mail := func(v string) core.Identity { return core.Identity{Kind: core.FieldEmail, Value: core.Text(v)} }
	name := func(v string, keep bool) core.Identity {
		return core.Identity{Kind: core.FieldUsername, Value: core.Text(v), KeepCase: keep}
	}
	taken := func(r *room, err error, want core.TakenError) {
		r.Helper()
		var got *core.TakenError
		if !errors.As(err, &got) || *got != want {
			r.Fatalf("error %v (%+v), want %+v", err, got, want)
		}
	}
	two := func(t *testing.T) (*room, core.Lease, core.Lease) {
		r := newRoom(t, open)
		return r, r.reach("1", core.Prepared).Lease, r.reach("2", core.Prepared).Lease
	}
	t.Run("a name is booked once, however it is written", func(t *testing.T) {
		r, one, other := two(t)
		r.must(r.Reserve(r.ctx, one, core.Booking{Password: core.Secret("p"), Identities: []core.Identity{mail("Ánh@X.org"), name("Anh", true)}}))
		r.must(r.Reserve(r.ctx, one, core.Booking{Password: core.Secret("p"), Identities: []core.Identity{mail("ánh@x.org")}}))
		taken(r, r.Reserve(r.ctx, other, core.Booking{Password: core.Secret("p"), Identities: []core.Identity{name("bao", false), mail("A\u0301NH@x.ORG")}}),
			core.TakenError{Kind: core.FieldEmail, TaskID: "1"})
		// Nothing was booked by the attempt that failed.
		r.must(r.Reserve(r.ctx, one, core.Booking{Password: core.Secret("p"), Identities: []core.Identity{name("bao", false)}}))
		// Where case counts, the other spelling is another name.
		r.must(r.Reserve(r.ctx, other, core.Booking{Password: core.Secret("p"), Identities: []core.Identity{name("anh", true)}}))
	})
	t.Run("the same credentials and a proved account are told", func(t *testing.T) {
		r, one, other := two(t)
		ids := []core.Identity{mail("a@x.org"), name("a", false)}
		r.must(r.Reserve(r.ctx, one, core.Booking{Password: core.Secret("p"), Identities: ids}))
		taken(r, r.Reserve(r.ctx, other, core.Booking{Password: core.Secret("p"), Identities: ids}), core.TakenError{Kind: core.FieldEmail, TaskID: "1", SameCredentials: true})
		taken(r, r.Reserve(r.ctx, other, core.Booking{Password: core.Secret("q"), Identities: ids}), core.TakenError{Kind: core.FieldEmail, TaskID: "1"})
		r.advance(one, r.move("1", core.Confirmed))
		taken(r, r.Reserve(r.ctx, other, core.Booking{Password: core.Secret("p"), Identities: ids}), core.TakenError{Kind: core.FieldEmail, TaskID: "1", SameCredentials: true, Proved: true})
	})
	t.Run("another site's names are its own", func(t *testing.T) {
		r, one, _ := two(t)
		r.must(r.Reserve(r.ctx, one, core.Booking{Password: core.Secret("p"), Identities: []core.Identity{mail("a@x.org")}}))
		r.must(r.PutSites(r.ctx, owner, []core.SiteLimits{limits("b.org", 1)}))
		r.admitTask(newTask("3", "b.org"))
		r.must(r.Reserve(r.ctx, r.claim().Lease, core.Booking{Password: core.Secret("p"), Identities: []core.Identity{mail("a@x.org")}}))
	})
	t.Run("a failure without an account frees the names", func(t *testing.T) {
		r, one, other := two(t)
		ids := []core.Identity{mail("a@x.org"), name("a", false)}
		r.must(r.Reserve(r.ctx, one, core.Booking{Password: core.Secret("p"), Identities: ids}))
		r.advance(one, core.Move{To: core.Failed, FreeIdentities: true})
		r.must(r.Reserve(r.ctx, other, core.Booking{Password: core.Secret("p"), Identities: ids}))
	})
	t.Run("a tombstone keeps a name booked", func(t *testing.T) {
		r, one, other := two(t)
		ids := []core.Identity{mail("a@x.org")}
		r.must(r.Reserve(r.ctx, one, core.Booking{Password: core.Secret("p"), Identities: ids}))
		rec := r.advance(one, core.Move{To: core.Failed})
		rec = r.step(rec, core.Reporting)
		r.step(rec, core.Reported)
		n, err := r.Retain(r.ctx, r.clock.Now().Add(time.Second))
		r.must(err)
		equal(r, "deleted", n, 1)
		taken(r, r.Reserve(r.ctx, other, core.Booking{Password: core.Secret("p"), Identities: ids}), core.TakenError{Kind: core.FieldEmail})
	})
}
