package runner

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// starting is why a task that can be run now is in Starting.
var starting = say("starting")

// first makes the intent to start durable together with the claim, where nothing but
// the catalog has a say in it.
func (r *Runner) first(rec core.Record) (core.Move, bool) {
	if rec.State != core.Ready || rec.Kind == core.Connect {
		return core.Move{}, false
	}
	b, err := r.o.Catalog.Lookup(rec.Domain)
	if err != nil {
		return core.Move{}, false
	}
	m := core.Move{To: core.Starting, Driver: b.Driver, Digest: b.Digest, Event: starting}
	m.Event.Kind = "state"
	return m, true
}

// begin makes the intent to start durable, for a task that can be run now.
func (v *visit) begin() error {
	if err := v.bind(); err != nil {
		v.later(time.Now().Add(v.r.o.Limits.BackoffMax), false, err.Error())
		return nil
	}
	if v.rec.Kind == core.Connect {
		off, err := v.r.connectOff(v.ctx)
		if err != nil {
			return ofLedger(fmt.Errorf("read whether connect is switched off: %w", err))
		}
		if off {
			return v.move(core.Move{To: core.Dropped, Event: say("connect is switched off for this task manager")})
		}
	}
	v.fresh = true
	return v.move(core.Move{To: core.Starting, Driver: v.b.Driver, Digest: v.b.Digest, Event: starting})
}

// startable reports whether the server's status is the one that start takes.
func (r *Runner) startable(k core.Kind, status string) bool {
	if k == core.Connect {
		return status == r.o.States.Connect
	}
	return status == r.o.States.Register || status == ""
}

func (v *visit) underWay(status string) bool {
	s := v.r.o.States
	if v.rec.Kind == core.Connect {
		return status == s.Connecting
	}
	return status == s.Registering
}

// start sends POST start and settles every answer to it.
func (v *visit) start() error {
	ctx, cancel := context.WithTimeout(v.ctx, v.r.o.Limits.Lease)
	defer cancel()
	err := v.r.o.Manager.Start(ctx, v.rec.ID)
	var transient *core.TransientError
	var refusal *core.Refusal
	switch {
	case err == nil:
		v.r.appetite.begin()
		return v.started()
	case errors.Is(err, core.ErrGone):
		return v.move(core.Move{To: core.Dropped, Event: say("the task manager no longer knows the task")})
	case errors.As(err, &refusal):
		return v.readStart(ctx, refusal)
	case errors.As(err, &transient) && transient.Ambiguous:
		return v.readStart(ctx, nil)
	}
	return v.startLater(err)
}

// started makes durable that the start took effect, together with what a sign-up
// will use, where it is sure that one follows.
func (v *visit) started() error {
	m := core.Move{To: core.Prepared, Event: say("started")}
	if err := v.bind(); err == nil && v.signsUp() {
		facts, no := v.chosen()
		if no == nil {
			b := v.booking(facts)
			m.Facts, m.Book = facts, &b
		}
	}
	err := v.move(m)
	if taken := (*core.TakenError)(nil); errors.As(err, &taken) {
		m.Book = nil // prepared meets the same, and says what follows from it
		err = v.move(m)
	}
	if err == nil {
		v.booked = m.Book
	}
	return err
}

// signsUp reports whether a task that has just been started can do nothing but sign up.
func (v *visit) signsUp() bool {
	rec := v.rec
	return rec.Kind != core.Connect && rec.Round == 1 && rec.Account == nil && rec.Intent == nil && v.missing() == ""
}

// readStart decides by the task's own state after a refused or ambiguous start.
func (v *visit) readStart(ctx context.Context, refusal *core.Refusal) error {
	l, err := v.r.o.Manager.Get(ctx, v.rec.ID)
	if errors.Is(err, core.ErrGone) {
		return v.move(core.Move{To: core.Dropped, Event: say("the task manager no longer knows the task")})
	}
	if err != nil {
		return v.startLater(err)
	}
	switch {
	case v.underWay(l.Status) && v.r.o.Exclusive && refusal != nil && v.fresh:
		// Nobody but us works on these tasks, and this ledger knows of no start: an
		// earlier life of ours may have signed up already.
		return v.move(core.Move{To: core.Prepared, Facts: core.Facts{factLook: core.Text("1")},
			Event: say("it was under way already; looking for an account before anything is submitted")})
	case v.underWay(l.Status) && v.r.o.Exclusive:
		return v.move(core.Move{To: core.Prepared, Event: say("the start had taken effect")})
	case v.underWay(l.Status):
		return v.move(core.Move{To: core.Dropped, Event: say("the task is under way, and [entity] exclusive is off: it may be another system's")})
	case refusal == nil && v.r.startable(v.rec.Kind, l.Status):
		v.later(time.Now().Add(v.backoff(v.rec.Broken)), true, "the start did not arrive; trying again")
		return nil
	case refusal != nil && v.rec.Kind == core.Connect && l.Status == v.r.o.States.Connect:
		if err := v.r.switchConnectOff(v.ctx, refusal.Message); err != nil {
			return err
		}
		return v.move(core.Move{To: core.Dropped, Event: say("the task manager does not start connect tasks: " + refusal.Message)})
	}
	why := "the task manager says " + l.Status
	if refusal != nil {
		why = fmt.Sprintf("refused: %s; the task manager says %s", refusal.Message, l.Status)
	}
	return v.move(core.Move{To: core.Dropped, Event: say(why)})
}

// startLater gives a task back whose start could not be asked for.
func (v *visit) startLater(err error) error {
	if v.ctx.Err() != nil {
		return context.Cause(v.ctx)
	}
	wait := v.backoff(v.rec.Broken)
	var auth *core.AuthError
	var transient *core.TransientError
	if errors.As(err, &auth) {
		v.r.unauthorized(err)
		v.later(time.Now().Add(wait), false, err.Error())
		return nil
	}
	if errors.As(err, &transient) {
		wait = max(wait, transient.RetryAfter)
	}
	v.later(time.Now().Add(wait), true, err.Error())
	return nil
}

const connectFlag = "connect_off:"

// connectRetry is how long a server that refused connect is not asked again.
const connectRetry = 24 * time.Hour

func (r *Runner) connectOff(ctx context.Context) (bool, error) {
	if !r.o.Connect {
		return true, nil
	}
	flag, err := r.o.Store.Flag(ctx, connectFlag+r.o.Server)
	if err != nil || flag == "" {
		return false, err
	}
	stamp, _, _ := strings.Cut(flag, " ")
	since, err := time.Parse(time.RFC3339, stamp)
	return err == nil && time.Since(since) < connectRetry, nil
}

// switchConnectOff remembers that this server does not start connect tasks.
func (r *Runner) switchConnectOff(ctx context.Context, message string) error {
	if err := r.o.Store.SetFlag(ctx, connectFlag+r.o.Server, time.Now().UTC().Format(time.RFC3339)+" "+r.line(message)); err != nil {
		return ofLedger(fmt.Errorf("switch connect off: %w", err))
	}
	r.o.Log.Warn("connect is switched off for this task manager: it refused to start a task that waits for connect", "message", r.line(message))
	r.notice(Notice{Text: "connect is switched off: the task manager refused to start a connect task"})
	return nil
}
