package runner

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// BulkService is a site whose accounts are made many at a time.
type BulkService struct {
	Site core.BulkSite
	API  core.BulkAPI
	// Row is the user of a task. A task that breaks a rule is a *core.BulkFieldError.
	Row func(core.Task) (core.BulkRow, error)
	// Link is the address of a user's profile, empty when it can't be told. Without
	// Link no task of the site is run.
	Link func(userID, username string) string
	// Driver names the service in records.
	Driver string
	// Left is what became of the task's profile fields that the call does not set.
	Left func(core.Task) map[string]string
}

// bulkQuiet reports whether no call and no bulk task falls due before horizon.
func (r *Runner) bulkQuiet(ctx context.Context, horizon time.Time) (bool, error) {
	all, _ := r.bulkSites()
	for _, s := range all {
		site := (&desk{r: r, s: s}).site()
		w, err := r.o.Batches.BulkWindow(ctx, site, r.o.Clock())
		if err != nil || !s.quiet(w, horizon) {
			return false, err
		}
		// A call that began while the window was read hides its users: without one
		// in between, what was read holds.
		again, err := r.o.Batches.BulkWindow(ctx, site, r.o.Clock())
		if err != nil || again.Calls != w.Calls || !s.quiet(again, horizon) {
			return false, err
		}
	}
	return true, nil
}

func (s BulkService) quiet(w core.BulkWindow, horizon time.Time) bool {
	work, wait := w.Rows, w.OpensIn
	if s.Link != nil {
		work += w.Ready
		for _, due := range []time.Time{w.BegunDue, w.VisitDue} {
			if !due.IsZero() && due.Before(horizon) {
				return false
			}
		}
	}
	if w.Calling {
		return !time.Now().Add(w.LostIn).Before(horizon)
	}
	return work == 0 || w.Held || !time.Now().Add(wait).Before(horizon)
}

// desk brings the tasks of one bulk site into calls, and on after them.
type desk struct {
	r    *Runner
	s    BulkService
	hard context.Context
	held []*visit // started, for the next call
}

// noGate stands in for an egress port: what a desk does itself visits no site.
type noGate struct{ core.Gate }

func (noGate) Until(time.Duration) {}
func (noGate) Shut()               {}

func (d *desk) visit(rec core.Record, asked time.Duration) *visit {
	v := d.r.newVisit(d.hard, &slot{name: "bulk", gate: noGate{}}, rec, asked+d.r.o.Limits.Lease)
	v.b = core.Binding{Domain: rec.Domain, Driver: d.s.Driver, OnExists: "fail"}
	return v
}

// leave takes a visit off the books.
func (d *desk) leave(v *visit) {
	v.cancel(nil)
	v.tidy()
	d.r.mu.Lock()
	if d.r.visits[v.rec.ID] == v {
		delete(d.r.visits, v.rec.ID)
	}
	d.r.tally.Tasks[v.rec.ID] = v.rec.State
	d.r.mu.Unlock()
	d.r.nudge()
}

func (d *desk) claim(ctx context.Context, work core.BulkWork) (*visit, error) {
	asked := d.r.o.Egress.Now()
	rec, err := d.r.o.Batches.BulkClaim(ctx, d.r.o.Owner, d.site(), d.r.o.Limits.Lease, work)
	if err != nil {
		return nil, err
	}
	return d.visit(rec, asked), nil
}

// begun implements bulkTasks.
func (d *desk) begun(ctx context.Context, wait time.Duration) (bool, error) {
	v, err := d.claim(ctx, core.BulkBegun)
	if errors.Is(err, core.ErrNothing) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if s := v.rec.State; (s == core.Starting || s == core.Prepared) && wait > 0 {
		v.later(time.Now().Add(wait), false, fmt.Sprintf("started; goes out with the next call, in %s at the earliest", wait.Round(time.Second)))
	}
	d.settle(v)
	return true, nil
}

// settle moves a task until it is held for a call or its lease is given back.
func (d *desk) settle(v *visit) {
	for !v.ended {
		ready, err := d.step(v)
		if err != nil {
			v.fell(err)
			break
		}
		if ready {
			d.held = append(d.held, v)
			return
		}
	}
	d.leave(v)
}

// step does what a state asks for. ready says that the task may go into a call.
func (d *desk) step(v *visit) (ready bool, err error) {
	if cause := context.Cause(v.ctx); cause != nil {
		return false, cause
	}
	switch v.rec.State {
	case core.Ready:
		return false, v.move(core.Move{To: core.Starting, Driver: d.s.Driver, Event: say("starting, for the next call")})
	case core.Starting:
		return false, v.start()
	case core.Prepared:
		return d.prepare(v)
	case core.Submitted:
		return false, v.move(core.Move{To: core.Unknown, Event: say("the call's answer for this task is not known")})
	case core.Refused:
		return false, v.move(core.Move{To: core.Failed, FreeIdentities: true, Event: say("the site refused it")})
	case core.Confirmed:
		return false, d.confirmed(v)
	case core.Profiled, core.Connected:
		return false, v.complete()
	case core.Failed:
		return false, v.fail()
	case core.Delayed:
		return false, v.move(core.Move{To: v.rec.From, Phase: v.rec.Phase, Event: say("due again")})
	case core.Parked:
		return false, v.unpark()
	case core.Intended:
		v.later(time.Time{}, false, "its call has no answer yet")
		return false, nil
	case core.Unknown:
		v.later(time.Time{}, false, "nobody knows whether the account exists; rollcall task resolve "+v.rec.ID+" --created|--absent|--fail")
		return false, nil
	}
	return false, fmt.Errorf("a bulk task in state %s was claimed", v.rec.State)
}

// prepare decides whether a started task goes into a call.
func (d *desk) prepare(v *visit) (bool, error) {
	rec := v.rec
	switch {
	case rec.Intent != nil && rec.Intent.State == core.IntentOpen:
		return false, v.move(core.Move{To: core.Unknown, Event: say("an earlier call has no known outcome")})
	case rec.Account != nil:
		return false, v.prove("the account of an earlier round")
	case rec.Round > 1 && rec.Answer != nil && rec.Answer.Status == core.Rejected && !rec.Changed:
		return false, v.move(core.Move{To: core.Failed, FreeIdentities: true, Event: say("the site's answer stands: " + rec.Answer.Reason)})
	}
	row, err := d.s.Row(rec.Task)
	var field *core.BulkFieldError
	switch {
	case errors.As(err, &field):
		return false, v.reject(core.Outcome{Status: core.Rejected, Code: core.InvalidInput, Field: field.Field, Reason: field.Error()})
	case err != nil:
		return false, err
	}
	twin, err := d.r.o.Batches.BulkTwin(v.ctx, rec.Domain, row.Fields[core.FieldEmail].Reveal(), row.Fields[core.FieldUsername].Reveal(), rec.ID)
	if err == nil && twin.TaskID == "" {
		return false, v.reject(core.Outcome{Status: core.Rejected, Code: core.AlreadyExists,
			Reason: fmt.Sprintf("row %d of import %s has the same e-mail or username (%s)", twin.Num, twin.Import, twin.State)})
	}
	if err != nil && !errors.Is(err, core.ErrNothing) {
		return false, err
	}
	taken, err := v.reserve()
	if err != nil || v.ended || v.rec.State != core.Prepared {
		return false, err
	}
	if taken {
		return false, v.reject(core.Outcome{Status: core.Rejected, Code: core.AlreadyExists, Reason: "another task has made this account"})
	}
	return true, nil
}

// gather implements bulkTasks. Tasks are claimed first, and then started side by
// side: a start is a round trip to the task manager.
func (d *desk) gather(ctx context.Context, most int) ([]core.BulkTask, error) {
	var fresh []*visit
	for len(d.held)+len(fresh) < most && ctx.Err() == nil {
		v, err := d.claim(ctx, core.BulkFresh)
		if errors.Is(err, core.ErrNothing) {
			break
		}
		if err != nil {
			return nil, err
		}
		fresh = append(fresh, v)
	}
	const atOnce = 8
	turn := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for _, v := range fresh {
		turn <- struct{}{}
		wg.Go(func() {
			defer func() { <-turn }()
			for !v.ended && (v.rec.State == core.Ready || v.rec.State == core.Starting) {
				if _, err := d.step(v); err != nil {
					v.fell(err)
				}
			}
		})
	}
	wg.Wait()
	for _, v := range fresh {
		d.settle(v)
	}
	var out []core.BulkTask
	for _, v := range d.held[:min(most, len(d.held))] {
		row, err := d.s.Row(v.rec.Task)
		if err != nil {
			return nil, err
		}
		row.ID, row.TaskID = "task/"+v.rec.ID, v.rec.ID
		out = append(out, core.BulkTask{Lease: v.rec.Lease, Row: row, Intent: core.Intent{Name: "bulk call", Driver: d.s.Driver,
			Username: row.Fields[core.FieldUsername], Email: row.Fields[core.FieldEmail], Password: row.Fields[core.FieldPassword]}})
	}
	return out, nil
}

func (d *desk) waiting() int { return len(d.held) }

// release implements bulkTasks. The lease of a task that went out is gone
// already; the others are due again.
func (d *desk) release() {
	for _, v := range d.held {
		v.later(time.Now(), false, "goes out with a later call")
		d.leave(v)
	}
	d.held = nil
}

// confirmed finishes a task whose account was made, where no driver fills its profile.
func (d *desk) confirmed(v *visit) error {
	link := v.rec.Facts[core.FactLinkProfile].Reveal()
	if a := v.rec.Account; link == "" && a != nil {
		link = a.LinkProfile
		if link == "" {
			link = d.s.Link("", a.Username.Reveal())
		}
	}
	if link == "" {
		// A person said that the account exists; its address only a person knows.
		ctx, cancel := v.ledger()
		defer cancel()
		ask := core.Ask{Kind: core.AskAnswer, Code: core.Contact, Say: "type the address of the user's profile; the site did not name the user's id"}
		_, a, answered, err := d.r.o.Store.OpenAsk(ctx, v.rec.Lease, ask, time.Now().Add(d.r.o.Limits.HumanExpires))
		if err != nil {
			return err
		}
		if !answered || !strings.HasPrefix(a.Text.Reveal(), "http") {
			return v.move(core.Move{To: core.Parked, Answer: &core.Outcome{Status: core.Blocked, Code: core.Contact, Reason: ask.Say}, Event: say(ask.Say)})
		}
		link = a.Text.Reveal()
	}
	return v.move(core.Move{To: core.Profiled, Fields: d.s.Left(v.rec.Task), Facts: core.Facts{core.FactLinkProfile: core.Text(link)},
		Event: say("the account was made: " + link)})
}
