package ledger

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// The states of an ask.
const (
	askOpen     = "open"
	askAnswered = "answered" // the answer waits for the driver
	askUsed     = "used"
	askClosed   = "closed"
	askExpired  = "expired"
)

type replyDoc struct {
	Text valueDoc `json:"text"`
	By   string   `json:"by,omitempty"`
}

func (l *Ledger) replyOf(id string, sealed []byte) (core.Answer, error) {
	var d replyDoc
	if err := l.unseal(sealed, &d, "ask", id, "answer"); err != nil {
		return core.Answer{}, err
	}
	return core.Answer{Text: d.Text.value(), By: d.By}, nil
}

// OpenAsk implements core.Store. The same question, still open, keeps its id
// and its time; other open questions of the task are closed, because a task
// asks one thing at a time.
func (l *Ledger) OpenAsk(ctx context.Context, lease core.Lease, ask core.Ask, expires time.Time) (string, core.Answer, bool, error) {
	var (
		id       string
		answer   core.Answer
		answered bool
	)
	ask.Say, ask.URL = plain(ask.Say), plain(ask.URL)
	err := l.write(ctx, "ask for task "+lease.TaskID, func(x *tx) error {
		id, answer, answered = "", core.Answer{}, false
		t, err := x.leased(lease)
		if err != nil {
			return err
		}
		var state string
		var sealed []byte
		found, err := x.first([]any{&id, &state, &sealed}, `SELECT id, state, answer FROM ask WHERE task_id = $1 AND kind = $2
			AND code = $3 AND say = $4 AND (state = 'answered' OR (state = 'open' AND expires > $5)) ORDER BY state, created LIMIT 1`,
			lease.TaskID, string(ask.Kind), string(ask.Code), ask.Say, t.now)
		if err != nil {
			return err
		}
		if found && state == askAnswered {
			if answer, err = l.replyOf(id, sealed); err != nil {
				return err
			}
			answered = true
			return x.setAsk(id, askUsed)
		}
		if err := x.later(`UPDATE ask SET state = 'closed' WHERE task_id = $1 AND state = 'open' AND id <> $2`, lease.TaskID, id); err != nil {
			return err
		}
		if found {
			return nil
		}
		id = rand.Text()
		if err := x.later(`INSERT INTO ask (id, task_id, domain, kind, code, say, url, hash, state, shot, created, expires)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'open', '', $9, $10)`, id, lease.TaskID, t.rec.Domain, string(ask.Kind), string(ask.Code),
			ask.Say, ask.URL, ask.Hash, t.now, expires.UnixMicro()); err != nil {
			return err
		}
		return x.noteOn(t, core.Event{Kind: "ask", Phase: t.rec.Phase, Text: ask.Say, Attrs: map[string]string{"ask": id, "code": string(ask.Code)}})
	})
	if err != nil {
		return "", core.Answer{}, false, err
	}
	if !answered {
		l.changed()
	}
	return id, answer, answered, nil
}

func (x *tx) setAsk(id, state string) error {
	return x.later(`UPDATE ask SET state = $2 WHERE id = $1`, id, state)
}

// noteOn adds an event and stores its number.
func (x *tx) noteOn(t *task, ev core.Event) error {
	if err := x.addEvents(t, ev); err != nil {
		return err
	}
	return x.later(`UPDATE task SET seq = $2 WHERE id = $1`, t.rec.ID, t.seq)
}

// askOf reads the state of an ask of the leased task.
func (x *tx) askOf(lease core.Lease, id string) (state string, sealed []byte, err error) {
	if _, err := x.leased(lease); err != nil {
		return "", nil, err
	}
	found, err := x.first([]any{&state, &sealed}, `SELECT state, answer FROM ask WHERE id = $1 AND task_id = $2`, id, lease.TaskID)
	if err == nil && !found {
		err = core.ErrUnknownAsk
	}
	return state, sealed, err
}

// TakeAnswer implements core.Store. ErrUnknownAsk; ErrAskClosed for an ask that
// nobody can answer any more.
func (l *Ledger) TakeAnswer(ctx context.Context, lease core.Lease, id string) (core.Answer, bool, error) {
	var (
		answer core.Answer
		got    bool
	)
	err := l.write(ctx, "take an answer for task "+lease.TaskID, func(x *tx) error {
		got = false
		state, sealed, err := x.askOf(lease, id)
		switch {
		case err != nil:
			return err
		case state == askOpen:
			return nil
		case state != askAnswered:
			return core.ErrAskClosed
		}
		if answer, err = l.replyOf(id, sealed); err != nil {
			return err
		}
		got = true
		return x.setAsk(id, askUsed)
	})
	return answer, got && err == nil, err
}

// CloseAsk implements core.Store. An ask that is no longer open stays as it is.
func (l *Ledger) CloseAsk(ctx context.Context, lease core.Lease, id string) error {
	err := l.write(ctx, "close a question of task "+lease.TaskID, func(x *tx) error {
		state, _, err := x.askOf(lease, id)
		if err != nil || state != askOpen {
			return err
		}
		return x.setAsk(id, askClosed)
	})
	if err == nil {
		l.changed()
	}
	return err
}

// SetShot implements core.Store.
func (l *Ledger) SetShot(ctx context.Context, lease core.Lease, id, path string) error {
	return l.write(ctx, "record a picture for task "+lease.TaskID, func(x *tx) error {
		if _, _, err := x.askOf(lease, id); err != nil {
			return err
		}
		_, err := x.exec(`UPDATE ask SET shot = $2 WHERE id = $1`, id, path)
		return err
	})
}

const expiredQuery = `SELECT id, task_id FROM ask WHERE state = 'open' AND expires <= {now} ORDER BY expires LIMIT 1`

// ExpireAsks implements core.Store.
func (l *Ledger) ExpireAsks(ctx context.Context) (int, error) {
	n, woke := 0, false
	for {
		one, expired, wakes := false, 0, false
		err := l.write(ctx, "end the questions whose time is over", func(x *tx) error {
			one, expired, wakes = false, 0, false
			var id, taskID string
			found, err := x.first([]any{&id, &taskID}, expiredQuery, l.clock())
			if err != nil || !found {
				return err
			}
			t, err := x.hold(taskID)
			if err != nil {
				return err
			}
			// Between the two statements somebody may have answered.
			changed, err := x.exec(`UPDATE ask SET state = 'expired' WHERE id = $1 AND state = 'open'`, id)
			if err != nil {
				return err
			}
			if one = true; changed == 0 {
				return nil
			}
			expired = 1
			if err := x.addEvents(t, core.Event{Kind: "ask", Level: "WARN", Text: "nobody answered in time", Attrs: map[string]string{"ask": id}}); err != nil {
				return err
			}
			if t.rec.State == core.Parked && !t.expires.Valid {
				t.rec.AskExpired, t.rec.Due, wakes = true, at(t.now), true
			}
			return x.save(t)
		})
		if err == nil {
			n, woke = n+expired, woke || wakes
		}
		if err != nil || !one {
			if woke {
				l.changed()
			}
			return n, err
		}
	}
}

// Asks implements core.Admin.
func (l *Ledger) Asks(ctx context.Context, all bool) ([]core.AskRow, error) {
	var out []core.AskRow
	err := l.read(ctx, "read the questions", func(x *tx) error {
		out = nil
		where := ``
		if !all {
			where = `WHERE a.state = 'open' `
		}
		return x.each(func(scan func(...any) error) error {
			var (
				r                core.AskRow
				created, expires int64
				state            core.State
			)
			if err := scan(&r.ID, &r.TaskID, &r.Domain, &r.Ask.Kind, &r.Ask.Code, &r.Ask.Say, &r.Ask.URL, &r.Ask.Hash, &r.State, &r.Shot,
				&created, &expires, &state); err != nil {
				return err
			}
			r.Held = state == core.Held && r.State == askOpen
			r.Created, r.Expires = at(created), at(expires)
			out = append(out, r)
			return nil
		}, `SELECT a.id, a.task_id, a.domain, a.kind, a.code, a.say, a.url, a.hash, a.state, a.shot, a.created, a.expires, t.state
			FROM ask a JOIN task t ON t.id = a.task_id `+where+`ORDER BY a.created, a.id`)
	})
	return out, err
}

// errNeedsText is what a held question for an answer says to an empty one.
var errNeedsText = errors.New("the page waits for an answer; give its text")

// AnswerAsk implements core.Admin.
func (l *Ledger) AnswerAsk(ctx context.Context, id, text, by string) error {
	if plain(text) != text {
		return fmt.Errorf("ledger: the answer is not valid UTF-8 text")
	}
	err := l.write(ctx, "answer a question", func(x *tx) error {
		var taskID string
		if found, err := x.first([]any{&taskID}, `SELECT task_id FROM ask WHERE id = $1`, id); err != nil || !found {
			return errors.Join(err, notFound(found, core.ErrUnknownAsk))
		}
		t, err := x.hold(taskID)
		if err != nil {
			return err
		}
		var (
			kind    core.AskKind
			state   string
			expires int64
		)
		if err := x.row(`SELECT kind, state, expires FROM ask WHERE id = $1 {for update}`, id).Scan(&kind, &state, &expires); err != nil {
			return err
		}
		if state != askOpen || expires <= t.now {
			return core.ErrAskClosed
		}
		parked := t.rec.State == core.Parked
		said := by + " answered"
		if kind == core.AskAnswer && text == "" {
			if !parked {
				return errNeedsText
			}
			said = by + " is here" // the phase is entered again and asks anew
			if err := x.setAsk(id, askUsed); err != nil {
				return err
			}
		} else {
			value := core.Text(text)
			if text != "" {
				value = core.Secret(text)
			}
			sealed, err := x.seal(replyDoc{docOf(value), by}, "ask", id, "answer")
			if err != nil {
				return err
			}
			if _, err := x.exec(`UPDATE ask SET state = 'answered', answer = $2 WHERE id = $1`, id, sealed); err != nil {
				return err
			}
		}
		if err := x.addEvents(t, core.Event{Kind: "ask", Text: said, Attrs: map[string]string{"ask": id}}); err != nil {
			return err
		}
		if parked && !t.expires.Valid {
			t.rec.Due = at(t.now)
		}
		return x.save(t)
	})
	if err == nil {
		l.changed()
	}
	return err
}

func notFound(found bool, err error) error {
	if found {
		return nil
	}
	return err
}
