package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// lastReports is how long a runner that stops still delivers what is due.
const lastReports = 5 * time.Second

// reporting delivers the outbox until stopping ends. Then the reports under way
// and all that are due now still go out, for lastReports at most; now ends that too.
func (r *Runner) reporting(stopping, now context.Context) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(stopping))
	defer cancel()
	defer context.AfterFunc(now, cancel)()
	defer context.AfterFunc(stopping, func() {
		patience := time.NewTimer(lastReports)
		defer patience.Stop()
		select {
		case <-patience.C:
			cancel()
		case <-ctx.Done():
		}
	})()
	changed, unsubscribe := r.o.Store.Subscribe()
	defer unsubscribe()
	d := r.reports
	d.open(ctx, stopping)
	defer d.close()
	var early early
	var asked time.Time // when a report was last asked for
	for ctx.Err() == nil {
		if left := r.pausing.left(); left > 0 {
			if stopping.Err() != nil {
				return nil
			}
			r.pause(stopping, left)
			continue
		}
		looked := time.Now()
		next, err := r.o.Store.NextReport(ctx)
		// The ledger's clock may be ahead of ours: now and then it is asked although
		// nothing seems to be due.
		if err == nil && !next.IsZero() && (!next.After(looked) || looked.Sub(asked) >= r.o.Limits.Sweep) {
			asked = looked
			select {
			case <-d.free:
			case err := <-d.failed:
				return err
			case <-ctx.Done():
				return nil
			}
			d.mu.Lock()
			d.take()
			d.mu.Unlock()
			var item core.OutboxItem
			if item, err = r.o.Store.ClaimReport(ctx, r.o.Owner, r.deliverLease()); err == nil {
				early.end()
				r.hand(item)
				continue
			}
			d.give()
			if errors.Is(err, core.ErrNothing) {
				err = nil
			}
		}
		if stopping.Err() != nil {
			return nil // what is left is the ledger's: the next run delivers it
		}
		if err != nil {
			if err := r.patient(stopping, "report", err); err != nil {
				return err
			}
			continue
		}
		var failure error
		await(early.wait(next, r.o.Limits.Sweep), looked, changed, func(due <-chan time.Time, told <-chan struct{}) bool {
			select {
			case <-told:
				return true
			case <-due:
			case <-stopping.Done():
			case failure = <-d.failed:
			}
			return false
		})
		if failure != nil {
			return failure
		}
	}
	return nil
}

// delivered is deliver, with what its failure means for the runner.
func (r *Runner) delivered(ctx, stopping context.Context, item core.OutboxItem) error {
	err := r.deliver(ctx, item)
	switch {
	case err == nil || ctx.Err() != nil:
		return nil
	case errors.Is(err, core.ErrLeaseLost):
		// This runner slept, or the answer took too long: the report is another's.
		r.o.Log.Warn("the report is another runner's now; dropped here", "task", item.TaskID)
		return nil
	}
	return r.patient(stopping, "report", err)
}

// deliver sends one report and settles every answer to it. An answer that leaves
// the effect open is settled by reading the task.
func (r *Runner) deliver(ctx context.Context, item core.OutboxItem) error {
	call, cancel := context.WithTimeout(ctx, r.o.Limits.Lease)
	defer cancel()
	send := r.o.Manager.Fail
	if item.Report.Complete {
		send = r.o.Manager.Complete
	}
	err := send(call, item.TaskID, item.Report)
	var refusal *core.Refusal
	var transient *core.TransientError
	var auth *core.AuthError
	switch {
	case ctx.Err() != nil:
		return nil // the lease of the report ends, and its task is read before anything is repeated
	case err == nil:
		return r.settle(ctx, item, core.Reported, "reported "+verb(item))
	case errors.Is(err, core.ErrGone):
		return r.settle(ctx, item, core.Overtaken, "the task manager no longer knows the task")
	case errors.As(err, &auth):
		r.unauthorized(err)
		return r.postpone(ctx, item, r.o.Limits.OutboxMin, err)
	case errors.As(err, &refusal), errors.As(err, &transient) && transient.Ambiguous:
		return r.readReport(ctx, call, item, refusal, err)
	}
	var after time.Duration
	if transient != nil {
		after = transient.RetryAfter
	}
	return r.postpone(ctx, item, after, err)
}

// readReport decides by the task's state after a refused or ambiguous report.
func (r *Runner) readReport(ctx, call context.Context, item core.OutboxItem, refusal *core.Refusal, sent error) error {
	l, err := r.o.Manager.Get(call, item.TaskID)
	switch {
	case ctx.Err() != nil:
		return nil
	case errors.Is(err, core.ErrGone):
		return r.settle(ctx, item, core.Overtaken, "the task manager no longer knows the task")
	case err != nil:
		return r.postpone(ctx, item, 0, err)
	}
	switch l.Status {
	case r.wanted(item):
		return r.settle(ctx, item, core.Reported, "the report had taken effect")
	case r.o.States.Registering, r.o.States.Connecting:
		if refusal == nil {
			return r.postpone(ctx, item, 0, sent)
		}
		return r.refusedReport(ctx, item, refusal)
	case r.o.States.Register, r.o.States.Connect:
		if !item.Report.Complete {
			// The retry manager takes failed tasks back to the start.
			return r.settle(ctx, item, core.Reported, "the report had taken effect, and the task was queued again")
		}
	}
	return r.settle(ctx, item, core.Overtaken, "the task manager says "+l.Status+", which is not ours any more")
}

// refusedReport handles a server that still calls the task ours and yet refuses
// the report: nothing but a change on its side helps, so it is asked again, rarely.
func (r *Runner) refusedReport(ctx context.Context, item core.OutboxItem, refusal *core.Refusal) error {
	r.o.Log.Error("the task manager refuses a report although the task is under way; it is tried again", "task", item.TaskID, "message", r.line(refusal.Message))
	return r.postpone(ctx, item, r.o.Limits.OutboxMax, refusal)
}

// wanted is the server's state after the report.
func (r *Runner) wanted(item core.OutboxItem) string {
	switch {
	case !item.Report.Complete:
		return item.Report.Status
	case item.Kind == core.Connect:
		return r.o.States.Completed
	}
	return r.o.States.Profiled
}

func (r *Runner) settle(ctx context.Context, item core.OutboxItem, to core.State, text string) error {
	ev := core.Event{Kind: "api", Level: "INFO", Text: r.line(text)}
	if to == core.Overtaken {
		ev.Level = "WARN"
	}
	if err := r.o.Store.SettleReport(ctx, item, to, ev); err != nil {
		return fmt.Errorf("settle the report of task %s: %w", item.TaskID, err)
	}
	r.mu.Lock()
	r.tally.Tasks[item.TaskID] = to
	r.mu.Unlock()
	r.o.Log.Info("state", "task", item.TaskID, "state", string(to), "reason", ev.Text)
	r.notice(Notice{Task: item.TaskID, State: to, Text: ev.Text})
	return nil
}

// postpone tries a report again: back-off with full jitter, and no sooner than
// the server asks for.
func (r *Runner) postpone(ctx context.Context, item core.OutboxItem, after time.Duration, why error) error {
	l := r.o.Limits
	top := l.OutboxMin << min(item.Tries, 20)
	if top <= 0 || top > l.OutboxMax {
		top = l.OutboxMax
	}
	wait := max(l.OutboxMin/2+r.o.Jitter(top), after)
	ev := core.Event{Kind: "api", Level: "WARN", Text: r.line(why.Error())}
	if err := r.o.Store.DeferReport(ctx, item, time.Now().Add(wait), ev); err != nil {
		return fmt.Errorf("postpone the report of task %s: %w", item.TaskID, err)
	}
	r.o.Log.Warn("a report was not delivered", "task", item.TaskID, "tries", item.Tries+1, "again_in", wait.Round(time.Millisecond).String(), "err", ev.Text)
	return nil
}

func verb(item core.OutboxItem) string {
	if item.Report.Complete {
		return "complete"
	}
	return item.Report.Status
}
