package runner

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// moves are the steps of a task whose row ended.
func (b *Bulk) moves(ctx context.Context, row core.BulkRow, end core.BulkRowEnd) ([]core.Move, error) {
	rec, err := b.o.Task(ctx, row.TaskID)
	if err != nil {
		return nil, fmt.Errorf("read task %s for its batch: %w", row.TaskID, err)
	}
	if rec.State != core.Intended && rec.State != core.Unknown {
		return nil, nil // a person has settled it meanwhile
	}
	username := row.Fields[core.FieldUsername].Reveal()
	var out []core.Move
	answered := func(m core.Move) {
		if rec.State == core.Intended {
			out = append(out, core.Move{To: core.Submitted, Committed: true, Event: say("the site answered the call")})
		}
		out = append(out, m)
	}
	switch end.State {
	case core.BulkCreated:
		link := b.o.Link(end.UserID, username)
		facts := core.Facts{"user_id": core.Text(end.UserID), core.FactLinkProfile: core.Text(link)}
		answered(core.Move{To: core.Confirmed, Phase: core.Login, End: core.IntentDone, Facts: facts, Event: say("created as " + end.UserID),
			Account: &core.Account{Username: row.Fields[core.FieldUsername], Email: row.Fields[core.FieldEmail], Password: row.Fields[core.FieldPassword],
				Driver: b.o.Driver, LinkProfile: link}})
	case core.BulkUnconfirmed:
		say := say("the user exists, after a call of ours without a known outcome: " + end.Message)
		say.Level = "WARN"
		out = append(out, core.Move{To: core.Unknown, Fault: "created_unconfirmed: " + end.Message, Event: say})
	case core.BulkFailed, core.BulkRefused:
		o := core.Outcome{Status: core.Rejected, Code: core.InvalidInput, Reason: end.Message}
		if end.Exists {
			o.Code = core.AlreadyExists
		}
		why := say(string(o.Code) + ": " + o.Reason)
		if rec.State == core.Intended {
			out = append(out, core.Move{To: core.Submitted, Committed: true, Event: say("the site answered the call")},
				core.Move{To: core.Refused, End: core.IntentRefused, Answer: &o, Event: why})
			out = append(out, core.Move{To: core.Failed, FreeIdentities: true, Event: why})
			break
		}
		out = append(out, core.Move{To: core.Failed, End: core.IntentRefused, Answer: &o, FreeIdentities: true, Event: why})
	case core.BulkWaiting:
		if rec.State == core.Intended {
			out = append(out, core.Move{To: core.Unknown, Event: say("the call made nothing: " + end.Message)},
				core.Move{To: core.Prepared, End: core.IntentAbsent, Event: say("goes out with a later call")})
		}
	case core.BulkUncertain:
		out = append(out, core.Move{To: core.Unknown, Fault: end.Message, Event: say("the call has no known outcome; the user goes out again: " + end.Message)})
	}
	return out, nil
}

// browser reports whether a task goes on in a browser: its account is made, and
// the site has a driver as well.
func (d *desk) browser(rec core.Record) bool {
	if rec.Account == nil && rec.Kind != core.Connect {
		return false
	}
	switch rec.State {
	case core.Confirmed, core.Held, core.Delayed, core.Parked:
	case core.Ready, core.Starting, core.Prepared:
		if rec.Kind != core.Connect {
			return false
		}
	default:
		return false
	}
	_, err := d.r.o.Catalog.Lookup(rec.Domain)
	return err == nil
}

// withBrowser hands a claimed task to a slot: visits of the site come one after
// another, as far apart as its pace says.
func (d *desk) withBrowser(v *visit) {
	r := d.r
	r.visited.Go(func() {
		defer d.leave(v)
		d.mu.Lock()
		defer d.mu.Unlock()
		b, err := r.o.Catalog.Lookup(v.domain)
		if err != nil {
			v.later(time.Now().Add(r.o.Limits.BackoffMax), false, err.Error())
			return
		}
		pace := time.NewTimer(max(time.Until(d.next), 0))
		defer pace.Stop()
		select {
		case <-pace.C:
		case <-v.ctx.Done():
			v.fell(context.Cause(v.ctx))
			return
		}
		select {
		case <-r.run:
		case <-v.ctx.Done():
			v.fell(context.Cause(v.ctx))
			return
		}
		s, err := r.slot(v.ctx)
		if err != nil {
			r.run <- struct{}{}
			v.fell(err)
			return
		}
		d.next = time.Now().Add(b.Pace.Every)
		in := r.newVisit(d.hard, s, v.record(), v.fence())
		in.run()
		v.rec = in.rec
		r.leave(in)
		in.permit.release(r)
		r.nudge()
	})
}
