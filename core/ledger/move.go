package ledger

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

func hexOf(b []byte) string { return hex.EncodeToString(b) }

// Advance implements core.Store.
func (l *Ledger) Advance(ctx context.Context, lease core.Lease, moves ...core.Move) (core.Record, error) {
	if len(moves) == 0 {
		return core.Record{}, errors.New("ledger: no move")
	}
	last := moves[len(moves)-1].To
	var rec core.Record
	err := l.write(ctx, "move task "+lease.TaskID+" to "+string(last), func(x *tx) error {
		x.expectFill(lease.TaskID)
		t, err := x.leased(lease)
		if err != nil {
			return err
		}
		if err := x.fill(t); err != nil {
			return err
		}
		if err := x.move(t, moves...); err != nil {
			return err
		}
		rec = t.rec
		return nil
	})
	if err != nil {
		return core.Record{}, err
	}
	if last.Releases() {
		l.entities.drop(rec.ID)
		l.changed()
	}
	return rec, nil
}

// move is the one way in which a task changes its state. t is held, and filled
// unless the moves say nothing of facts, fields, intent and account; what the caller
// changed in t.rec besides is stored with it.
func (x *tx) move(t *task, moves ...core.Move) error {
	for i, m := range moves {
		if i > 0 && moves[i-1].To.Releases() {
			return fmt.Errorf("task %s: a move to %s follows one that gave the lease back", t.rec.ID, m.To)
		}
		if err := x.apply(t, m); err != nil {
			return err
		}
	}
	return x.save(t)
}

// apply is a move but for the task's own row.
func (x *tx) apply(t *task, m core.Move) error {
	r, from, owner := &t.rec, t.rec.State, t.rec.Lease.Owner
	if err := r.State.Move(m.To); err != nil {
		return err
	}
	if m.To == core.Delayed && m.Due.IsZero() {
		return fmt.Errorf("task %s: waiting needs a due time", r.ID)
	}
	if (m.To == core.Intended) != (m.Intent != nil) {
		return fmt.Errorf("task %s: a move to intent, and no other, carries an intent", r.ID)
	}
	if (m.To == core.Reporting) != (m.Report != nil) {
		return fmt.Errorf("task %s: a move to reporting, and no other, carries a report", r.ID)
	}
	if err := utf8Facts(r.ID, m.Facts); err != nil {
		return err
	}
	t.place(m)
	if len(m.Facts) > 0 {
		r.Facts, t.newFacts = r.Facts.Merge(m.Facts), true
	}
	if len(m.Fields) > 0 {
		if r.Fields == nil {
			r.Fields = map[string]string{}
		}
		maps.Copy(r.Fields, m.Fields)
		t.newFacts = true
	}
	if m.Answer != nil {
		r.Answer, t.newAnswer = m.Answer, true
	}
	if m.Fault != "" {
		r.Fault = plain(m.Fault)
	}
	if m.Driver != "" {
		r.Driver, r.Digest = m.Driver, m.Digest
	}
	if err := x.intent(t, m); err != nil {
		return err
	}
	if m.Account != nil {
		if err := x.putAccount(t, *m.Account); err != nil {
			return err
		}
	}
	if m.FreeIdentities {
		if err := x.later(`DELETE FROM identity WHERE task_id = $1`, r.ID); err != nil {
			return err
		}
	}
	if m.To == core.Parked {
		if err := x.unasked(t); err != nil {
			return err
		}
	}
	if m.Book != nil {
		if err := x.book(t, *m.Book); err != nil {
			return err
		}
	}
	if m.Report != nil {
		r.Done = m.Report.Complete
		if err := x.putReport(t, *m.Report, owner, m.Deliver); err != nil {
			return err
		}
	}
	if m.To == core.Reporting || m.To.Final() && from != core.Reporting {
		if err := x.later(`UPDATE ask SET state = 'closed' WHERE task_id = $1 AND state = 'open'`, r.ID); err != nil {
			return err
		}
	}
	ev := m.Event
	if ev.Kind == "" {
		ev.Kind = "state"
	}
	ev.State = m.To
	if ev.Phase == "" {
		ev.Phase = r.Phase
	}
	return x.addEvents(t, slices.Concat(m.Events, []core.Event{ev})...)
}

// unasked makes a task that is being parked due at once where no question of it
// is open: nobody would ever wake it. The answer may have come, or the question
// may have expired, while the page was still open.
func (x *tx) unasked(t *task) error {
	var state string
	_, err := x.first([]any{&state}, `SELECT state FROM ask WHERE task_id = $1
		ORDER BY CASE state WHEN 'open' THEN 0 WHEN 'answered' THEN 1 ELSE 2 END, created DESC LIMIT 1`, t.rec.ID)
	if err != nil || state == askOpen {
		return err
	}
	t.rec.Due, t.rec.AskExpired = at(t.now), state == askExpired
	return nil
}

// place applies what a move says about where the task stands, when it goes on,
// and who has it.
func (t *task) place(m core.Move) {
	r, from := &t.rec, t.rec.State
	waits := func(s core.State) bool { return s == core.Delayed || s == core.Held || s == core.Parked }
	switch {
	case !waits(m.To):
		r.From = ""
	case !waits(from):
		r.From = from
	}
	switch {
	case m.To == core.Delayed && r.WaitingSince.IsZero():
		r.WaitingSince = at(t.now)
	case !waits(m.To) && !waits(from):
		r.WaitingSince = time.Time{}
	}
	if m.Phase != "" {
		r.Phase = m.Phase
	}
	r.State, r.AskExpired = m.To, false
	r.Done = r.Done && m.To != core.Ready
	switch {
	case m.To == core.Delayed, m.To == core.Unknown:
		r.Due = at(micro(m.Due))
	case m.To.Releases():
		r.Due = time.Time{}
	case m.To == core.Ready && !m.Due.IsZero():
		r.Due = at(micro(m.Due))
	default:
		r.Due = at(t.now)
	}
	if m.To.Releases() {
		t.release()
	}
	t.ended = sql.NullInt64{Int64: t.now, Valid: m.To.Final()}
}

// release ends the lease. The epoch stays, so that the next one is another.
func (t *task) release() {
	t.rec.Lease.Owner, t.expires = "", sql.NullInt64{}
}

// save stores every column that may change, and the site's next moment when
// the task may be claimed or its slot is free.
func (x *tx) save(t *task) error {
	r := &t.rec
	if t.newFacts {
		var err error
		if t.facts, err = x.seal(factsDoc{valuesDoc(r.Facts), r.Fields}, "task", r.ID, "facts"); err != nil {
			return err
		}
	}
	if t.newAnswer {
		a := r.Answer
		var err error
		if t.answer, err = x.seal(answerDoc{a.Status, a.Code, a.Reason, a.Field, valuesDoc(a.Facts), a.After, a.Fields},
			"task", r.ID, "answer"); err != nil {
			return err
		}
	}
	r.Updated = at(t.now)
	r.Attempt = r.Broken + 1
	err := x.later(`UPDATE task SET state = $2, from_state = $3, phase = $4, driver = $5, digest = $6, round = $7, broken = $8,
		changed = $9, new_secrets = $10, entity_mac = $11, secrets_mac = $12, facts = $13, answer = $14, fault = $15, intent_id = $16,
		waiting_since = $17, ask_expired = $18, due = $19, owner = $20, epoch = $21, expires = $22, ended = $23, seq = $24, updated = $25,
		request_id = $26, kind = $27, done = $28 WHERE id = $1`,
		r.ID, string(r.State), string(r.From), string(r.Phase), r.Driver, r.Digest, r.Round, r.Broken,
		bit(r.Changed), bit(r.NewSecrets), t.entityMac, t.secretsMac, blob(t.facts), blob(t.answer), r.Fault, t.intentID,
		micro(r.WaitingSince), bit(r.AskExpired), orNull(r.Due), r.Lease.Owner, r.Lease.Epoch, t.expires, t.ended, t.seq, t.now,
		r.RequestID, string(r.Kind), bit(r.Done))
	if err != nil {
		return err
	}
	switch {
	case t.expires.Valid: // still held
		return nil
	case t.held: // the slot is free
		return x.wakeSite(r.Domain, t.now, t.now)
	case !r.Due.IsZero():
		return x.wakeSite(r.Domain, micro(r.Due), t.now)
	}
	return nil
}

// intent does what a move says about intents.
func (x *tx) intent(t *task, m core.Move) error {
	r := &t.rec
	open := r.Intent != nil && r.Intent.State == core.IntentOpen
	if m.Committed || m.End != "" {
		if !open {
			return fmt.Errorf("task %s has no open intent", r.ID)
		}
		in := *r.Intent
		in.Committed = in.Committed || m.Committed
		if m.End != "" {
			in.State = m.End
		}
		write := x.later
		if m.Intent != nil { // the new one looks for open ones
			write = func(query string, args ...any) error { _, err := x.exec(query, args...); return err }
		}
		if err := write(`UPDATE intent SET committed = $2, state = $3 WHERE id = $1`, in.ID, bit(in.Committed), string(in.State)); err != nil {
			return err
		}
		r.Intent, open = &in, in.State == core.IntentOpen
	}
	if m.Intent == nil {
		return nil
	}
	if open {
		return &OpenIntentError{TaskID: r.ID}
	}
	in := *m.Intent
	in.ID, in.At, in.State, in.Committed = rand.Text(), at(t.now), core.IntentOpen, false
	email, username := normal(in.Email.Reveal(), false), normal(in.Username.Reveal(), false)
	if email == "" && username == "" {
		username = "task " + r.ID // no name to meet another task's
	}
	key := x.l.mac("intent", r.Domain, email, username)
	in.Key = hexOf(key)
	var other string
	err := x.row(`SELECT task_id FROM intent WHERE key = $1 AND state = 'open'`, key).Scan(&other)
	if err == nil {
		return &OpenIntentError{TaskID: other}
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	sealed, err := x.seal(intentDoc{docOf(in.Username), docOf(in.Email), docOf(in.Password), in.Mark, in.HasMark}, "intent", in.ID, "intent")
	if err != nil {
		return err
	}
	if err := x.later(`INSERT INTO intent (id, task_id, key, state, committed, at, name, driver, digest, sealed)
		VALUES ($1, $2, $3, 'open', 0, $4, $5, $6, $7, $8)`, in.ID, r.ID, key, t.now, in.Name, in.Driver, in.Digest, sealed); err != nil {
		return err
	}
	r.Intent, t.intentID = &in, in.ID
	return nil
}

// Note implements core.Store.
func (l *Ledger) Note(ctx context.Context, lease core.Lease, facts core.Facts, ev ...core.Event) error {
	if err := utf8Facts(lease.TaskID, facts); err != nil {
		return err
	}
	return l.write(ctx, "note on task "+lease.TaskID, func(x *tx) error {
		t, err := x.leased(lease)
		if err != nil {
			return err
		}
		if err := x.addEvents(t, slices.Clone(ev)...); err != nil {
			return err
		}
		if len(facts) == 0 {
			return x.later(`UPDATE task SET seq = $2 WHERE id = $1`, t.rec.ID, t.seq)
		}
		var d factsDoc
		if err := l.unseal(t.facts, &d, "task", t.rec.ID, "facts"); err != nil {
			return err
		}
		d.Facts = valuesDoc(core.Facts(valuesOf(d.Facts)).Merge(facts))
		sealed, err := x.seal(d, "task", t.rec.ID, "facts")
		if err != nil {
			return err
		}
		return x.later(`UPDATE task SET seq = $2, facts = $3, updated = $4 WHERE id = $1`, t.rec.ID, t.seq, sealed, t.now)
	})
}

// Defer implements core.Store.
func (l *Ledger) Defer(ctx context.Context, lease core.Lease, due time.Time, broken bool, ev core.Event) error {
	err := l.write(ctx, "defer task "+lease.TaskID, func(x *tx) error {
		t, err := x.leased(lease)
		if err != nil {
			return err
		}
		if t.rec.State.Final() || t.rec.State == core.Reporting {
			return &core.EdgeError{From: t.rec.State, To: t.rec.State}
		}
		t.rec.Due = at(micro(due))
		if broken {
			t.rec.Broken++
		}
		if ev.Kind != "" || ev.Text != "" {
			if err := x.addEvents(t, ev); err != nil {
				return err
			}
		}
		t.release()
		return x.save(t)
	})
	if err == nil {
		l.changed()
	}
	return err
}
