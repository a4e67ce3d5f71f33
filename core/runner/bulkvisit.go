package runner

import (
	"context"
	"errors"
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

// site is the bulk site as it is now: with the pace of visits where a driver is
// bound to it.
func (d *desk) site() core.BulkSite {
	s := d.s.Site
	if b, err := d.r.o.Catalog.Lookup(s.Domain); err == nil {
		s.Visit = &core.Pace{Every: b.Pace.Every, Concurrency: max(b.Pace.Concurrency, 1)}
	}
	return s
}

// visits has the driver fill the profiles of accounts that calls have made, and
// work on what is to be connected, until ctx ends. The ledger keeps the visits of
// all runners apart.
func (d *desk) visits(ctx context.Context) error {
	r := d.r
	changed, cancel := r.o.Store.Subscribe()
	defer cancel()
	for ctx.Err() == nil {
		again := r.o.Catalog.Changed()
		wait, err := d.visitDue(ctx)
		if err == nil && wait <= 0 {
			wait, err = d.visitNext(ctx)
		}
		if err != nil {
			if err := r.patient(ctx, "bulk visits", err); err != nil {
				return err
			}
			continue
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-changed:
		case <-again:
		case <-ctx.Done():
		}
		t.Stop()
	}
	return nil
}

// visitDue is how long no visit may begin.
func (d *desk) visitDue(ctx context.Context) (time.Duration, error) {
	r := d.r
	if left := r.pausing.left(); left > 0 {
		return left, nil
	}
	site := d.site()
	if site.Visit == nil {
		return r.o.Limits.Sweep, nil
	}
	w, err := r.o.Batches.BulkWindow(ctx, site, r.o.Clock())
	switch {
	case err != nil:
		return 0, err
	case w.VisitDue.IsZero():
		return r.o.Limits.Sweep, nil
	}
	if left := time.Until(w.VisitDue); left > 0 {
		return min(left+time.Millisecond, r.o.Limits.Sweep), nil
	}
	return 0, nil
}

// visitNext begins one visit, and returns how long to wait for the next. A visit
// counts from its claim, so that a slot is free before.
func (d *desk) visitNext(ctx context.Context) (time.Duration, error) {
	r := d.r
	select {
	case <-r.run:
	case <-ctx.Done():
		return 0, nil
	}
	give := func() { r.run <- struct{}{}; r.nudge() }
	asked := r.o.Egress.Now()
	rec, err := r.o.Batches.BulkClaim(ctx, r.o.Owner, d.site(), r.o.Limits.Lease, core.BulkVisit)
	if err != nil {
		give()
		if errors.Is(err, core.ErrNothing) {
			return time.Millisecond, nil // another runner was first; the window says when to look again
		}
		return 0, err
	}
	s, err := r.slot(ctx, rec.Domain)
	if err != nil {
		give()
		return 0, err
	}
	v := r.newVisit(d.hard, s, rec, asked+r.o.Limits.Lease)
	r.visited.Go(func() {
		v.run()
		r.leave(v)
		v.permit.release(r)
		r.nudge()
	})
	return 0, nil
}
