package ledgertest

import (
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

var sms = core.Ask{Kind: core.AskAnswer, Code: core.OTPSMS, Say: "type the code", URL: "https://x/otp"}

func (r *room) ask(l core.Lease, a core.Ask) (string, core.Answer, bool) {
	r.Helper()
	id, answer, ok, err := r.OpenAsk(r.ctx, l, a, r.clock.Now().Add(72*time.Hour))
	r.must(err)
	return id, answer, ok
}

func (r *room) asks(all bool) []core.AskRow {
	r.Helper()
	rows, err := r.Asks(r.ctx, all)
	r.must(err)
	return rows
}

func testAsks(t *testing.T, open Opener) {
	t.Run("a held question is answered once", func(t *testing.T) {
		r := newRoom(t, open)
		rec := r.reach("1", core.Held)
		id, _, answered := r.ask(rec.Lease, sms)
		equal(r, "answered", answered, false)
		r.must(r.SetShot(r.ctx, rec.Lease, id, "shots/1.png"))
		equal(r, "asks", r.asks(false), []core.AskRow{{ID: id, TaskID: "1", Domain: site, Ask: sms, State: "open", Held: true,
			Shot: "shots/1.png", Created: r.clock.Now(), Expires: r.clock.Now().Add(72 * time.Hour)}})
		_, ok, err := r.TakeAnswer(r.ctx, rec.Lease, id)
		r.must(err)
		equal(r, "taken before an answer", ok, false)
		if err := r.AnswerAsk(r.ctx, id, "", "ann"); err == nil {
			t.Fatal("an empty answer was taken while the page waits for one")
		}
		r.must(r.AnswerAsk(r.ctx, id, "123456", "ann"))
		r.wants(r.AnswerAsk(r.ctx, id, "654321", "bob"), core.ErrAskClosed)
		equal(r, "open asks", len(r.asks(false)), 0)
		a, ok, err := r.TakeAnswer(r.ctx, rec.Lease, id)
		r.must(err)
		equal(r, "taken", ok, true)
		equal(r, "answer", a.Text.Reveal(), "123456")
		equal(r, "secret", a.Text.IsSecret(), true)
		equal(r, "by", a.By, "ann")
		_, _, err = r.TakeAnswer(r.ctx, rec.Lease, id)
		r.wants(err, core.ErrAskClosed)
		equal(r, "state", r.asks(true)[0].State, "used")
	})
	t.Run("an answer wakes a parked task, which finds it by asking the same", func(t *testing.T) {
		r := newRoom(t, open)
		rec := r.reach("1", core.Held)
		id, _, _ := r.ask(rec.Lease, sms)
		r.step(rec, core.Parked)
		r.nothing(owner)
		r.must(r.AnswerAsk(r.ctx, id, "123456", "ann"))
		rec = r.claim()
		equal(r, "state", rec.State, core.Parked)
		rec = r.advance(rec.Lease, core.Move{To: core.Prepared})
		other := sms
		other.Say = "type the other code"
		id2, _, answered := r.ask(rec.Lease, other)
		equal(r, "another question is answered", answered, false)
		r.must(r.CloseAsk(r.ctx, rec.Lease, id2))
		got, a, answered := r.ask(rec.Lease, sms)
		equal(r, "answered", answered, true)
		equal(r, "id", got, id)
		equal(r, "answer", a.Text.Reveal(), "123456")
		_, _, answered = r.ask(rec.Lease, sms)
		equal(r, "answered twice", answered, false)
	})
	t.Run("a person who comes to a parked question for an answer is asked anew", func(t *testing.T) {
		r := newRoom(t, open)
		rec := r.reach("1", core.Held)
		id, _, _ := r.ask(rec.Lease, sms)
		r.step(rec, core.Parked)
		r.must(r.AnswerAsk(r.ctx, id, "", "ann"))
		rec = r.advance(r.claim().Lease, core.Move{To: core.Prepared})
		again, _, answered := r.ask(rec.Lease, sms)
		equal(r, "answered", answered, false)
		if again == id {
			t.Fatal("the used question came back")
		}
	})
	t.Run("done needs no text", func(t *testing.T) {
		r := newRoom(t, open)
		rec := r.reach("1", core.Held)
		id, _, _ := r.ask(rec.Lease, core.Ask{Kind: core.AskAct, Code: core.Captcha, Say: "solve it"})
		r.must(r.AnswerAsk(r.ctx, id, "", "ann"))
		a, ok, err := r.TakeAnswer(r.ctx, rec.Lease, id)
		r.must(err)
		equal(r, "taken", ok, true)
		equal(r, "answer", a, core.Answer{By: "ann"})
	})
	t.Run("the same open question keeps its id, another one closes it", func(t *testing.T) {
		r := newRoom(t, open)
		rec := r.reach("1", core.Held)
		id, _, _ := r.ask(rec.Lease, sms)
		r.clock.Add(time.Second)
		same, _, _ := r.ask(rec.Lease, sms)
		equal(r, "id", same, id)
		terms := core.Ask{Kind: core.AskAgree, Code: core.Terms, Say: "agree", URL: "https://x/terms", Hash: "ab12"}
		r.ask(rec.Lease, terms)
		rows := r.asks(false)
		equal(r, "open", len(rows), 1)
		equal(r, "ask", rows[0].Ask, terms)
		r.wants(r.AnswerAsk(r.ctx, id, "1", "ann"), core.ErrAskClosed)
	})
	t.Run("an expired question wakes its parked task and says so", func(t *testing.T) {
		r := newRoom(t, open)
		rec := r.reach("1", core.Held)
		id, _, _ := r.ask(rec.Lease, sms)
		r.step(rec, core.Parked)
		n, err := r.ExpireAsks(r.ctx)
		r.must(err)
		equal(r, "expired too early", n, 0)
		r.clock.Add(72 * time.Hour)
		r.wants(r.AnswerAsk(r.ctx, id, "1", "ann"), core.ErrAskClosed)
		n, err = r.ExpireAsks(r.ctx)
		r.must(err)
		equal(r, "expired", n, 1)
		n, err = r.ExpireAsks(r.ctx)
		r.must(err)
		equal(r, "expired again", n, 0)
		r.beat()
		rec = r.claim()
		equal(r, "expired", rec.AskExpired, true)
		rec = r.advance(rec.Lease, core.Move{To: core.Failed})
		equal(r, "afterwards", rec.AskExpired, false)
		equal(r, "ask", r.asks(true)[0].State, "expired")
	})
	t.Run("a task that is parked while nobody is asked is due at once", func(t *testing.T) {
		r := newRoom(t, open)
		rec := r.reach("1", core.Held)
		id, _, _ := r.ask(rec.Lease, sms)
		r.must(r.AnswerAsk(r.ctx, id, "123456", "ann"))
		_, ok, err := r.TakeAnswer(r.ctx, rec.Lease, id)
		r.must(err)
		equal(r, "taken", ok, true)
		r.advance(rec.Lease, core.Move{To: core.Parked}) // whoever took the answer died
		rec = r.claim()
		equal(r, "state", rec.State, core.Parked)
		equal(r, "expired", rec.AskExpired, false)
	})
	t.Run("a question that expires while the page is held ends what is parked then", func(t *testing.T) {
		r := newRoom(t, open)
		rec := r.reach("1", core.Held)
		if _, _, _, err := r.OpenAsk(r.ctx, rec.Lease, sms, r.clock.Now().Add(lease/2)); err != nil {
			t.Fatal(err)
		}
		r.clock.Add(lease / 2)
		n, err := r.ExpireAsks(r.ctx)
		r.must(err)
		equal(r, "expired", n, 1)
		r.advance(rec.Lease, core.Move{To: core.Parked})
		rec = r.claim()
		equal(r, "state", rec.State, core.Parked)
		equal(r, "expired", rec.AskExpired, true)
	})
	t.Run("closing and reporting withdraw a question", func(t *testing.T) {
		r := newRoom(t, open)
		rec := r.reach("1", core.Held)
		id, _, _ := r.ask(rec.Lease, sms)
		r.must(r.CloseAsk(r.ctx, rec.Lease, id))
		r.wants(r.AnswerAsk(r.ctx, id, "1", "ann"), core.ErrAskClosed)
		_, _, err := r.TakeAnswer(r.ctx, rec.Lease, id)
		r.wants(err, core.ErrAskClosed)
		r.ask(rec.Lease, sms)
		rec = r.advance(rec.Lease, core.Move{To: core.Prepared})
		rec = r.advance(rec.Lease, core.Move{To: core.Failed})
		r.advance(rec.Lease, r.move("1", core.Reporting))
		equal(r, "open", len(r.asks(false)), 0)
	})
	t.Run("a question that nobody knows", func(t *testing.T) {
		r := newRoom(t, open)
		rec := r.reach("1", core.Held)
		r.wants(r.AnswerAsk(r.ctx, "none", "1", "ann"), core.ErrUnknownAsk)
		_, _, err := r.TakeAnswer(r.ctx, rec.Lease, "none")
		r.wants(err, core.ErrUnknownAsk)
		r.wants(r.CloseAsk(r.ctx, rec.Lease, "none"), core.ErrUnknownAsk)
		r.wants(r.SetShot(r.ctx, rec.Lease, "none", "x"), core.ErrUnknownAsk)
		other := r.reach("2", core.Held)
		id, _, _ := r.ask(other.Lease, sms)
		r.wants(r.CloseAsk(r.ctx, rec.Lease, id), core.ErrUnknownAsk)
	})
}
