package runner

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// register runs the sign-up. Whatever it ends with, an intent that was made
// durable decides: past it nothing is tried again.
func (v *visit) register() error {
	o, err := v.phase(core.Register)
	if v.stopped(err) {
		return orCause(v.ctx, err)
	}
	if v.rec.State == core.Intended {
		// The gate was opened and the site's answer was not seen, whatever the driver says.
		v.dropPage()
		why := "register ended before the site's answer to its commit was seen"
		if err != nil {
			why = core.AsFault(err, core.Crashed).Error()
			v.suffered(err)
		}
		return v.move(core.Move{To: core.Unknown, Fault: why, Phase: core.Register, Event: say(why)})
	}
	if err != nil {
		return v.broke(core.Register, err)
	}
	switch o.Status {
	case core.Done:
		if v.rec.State != core.Submitted {
			return v.falseDone()
		}
		v.saw("")
		return nil // the next step is confirm, or the login that proves the account
	case core.Waiting:
		return v.wait(core.Register, o)
	case core.Blocked:
		return v.park(core.Register, o)
	}
	v.saw("")
	if v.rec.State == core.Submitted {
		if o.Code == core.AlreadyExists && !v.rec.Facts[factAbsent].Empty() {
			// An older submit of ours was called absent; this answer puts that in doubt.
			return v.move(core.Move{To: core.Unknown, Answer: &o, Phase: core.Register, Event: say("already exists, after an earlier submit of ours; probing")})
		}
		return v.move(core.Move{To: core.Refused, Answer: &o, End: core.IntentRefused, Event: say(string(o.Code) + ": " + o.Reason)})
	}
	return v.exists(o)
}

// refused goes on after a sign-up that the site declined in its own words.
func (v *visit) refused() error {
	if err := v.bind(); err != nil {
		v.later(time.Now().Add(v.r.o.Limits.BackoffMax), false, err.Error())
		return nil
	}
	o := core.Outcome{Status: core.Rejected, Code: core.InvalidInput, Reason: "the site refused the sign-up"}
	if v.rec.Answer != nil {
		o = *v.rec.Answer
	}
	if again := v.another(o); again != "" {
		// Back to Prepared first: the next candidate is made durable there.
		v.dropPage()
		if err := v.move(core.Move{To: core.Prepared, Event: say(again)}); err != nil {
			return err
		}
		return v.exists(o)
	}
	return v.reject(o)
}

// another says how a refused sign-up goes on, "" when it does not.
func (v *visit) another(o core.Outcome) string {
	if o.Code != core.AlreadyExists {
		return ""
	}
	switch {
	case v.b.OnExists == "variant" && o.Field != core.FieldEmail:
		return "the user name is taken; the next candidate is tried"
	case v.b.OnExists == "adopt" && v.rec.Facts[factAdopt].Empty():
		return "the account exists; its owner may be this task"
	}
	return ""
}

// exists handles a no that came before any commit, or after it was settled.
func (v *visit) exists(o core.Outcome) error {
	if v.another(o) == "" {
		return v.reject(o)
	}
	v.dropPage()
	if v.b.OnExists == "variant" {
		return v.variant(o.Reason)
	}
	return v.note(core.Facts{factAdopt: core.Text("wanted")})
}

// falseDone handles a register that claims success and never committed: nothing
// is known, and the site rests until a person has looked at the driver.
func (v *visit) falseDone() error {
	why := fmt.Sprintf("the driver %s says done, but never committed: it is wrong, and its site is paused", v.b.Driver)
	v.dropPage()
	ctx, cancel := v.ledger()
	defer cancel()
	if err := v.r.o.Store.PauseSite(ctx, v.rec.Domain, why); err != nil {
		return ofLedger(fmt.Errorf("pause the site of a faulty driver: %w", err))
	}
	if err := v.move(core.Move{To: core.Unknown, Fault: why, Event: say(why)}); err != nil {
		return err
	}
	v.later(time.Time{}, false, why)
	return nil
}

// submitted runs confirm, or where there is none the login that proves the account.
func (v *visit) submitted() error {
	if err := v.bind(); err != nil {
		v.later(time.Now().Add(v.r.o.Limits.BackoffMax), false, err.Error())
		return nil
	}
	if !v.b.Manifest.Has(core.Confirm) {
		o, err := v.login()
		switch {
		case err != nil:
			return v.broke(core.Login, err)
		case o.Status == core.Done:
			return v.prove("signed in")
		case o.Status == core.Waiting:
			return v.wait(core.Login, o)
		case o.Status == core.Blocked:
			return v.park(core.Login, o)
		}
		return v.move(core.Move{To: core.Unknown, Answer: &o, Event: say("the site took the sign-up, but not the login: " + o.Reason)})
	}
	o, err := v.phase(core.Confirm)
	if err != nil {
		return v.broke(core.Confirm, err)
	}
	switch o.Status {
	case core.Done:
		v.saw("")
		v.signedIn = true
		return v.prove("confirmed")
	case core.Waiting:
		return v.wait(core.Confirm, o)
	case core.Blocked:
		return v.park(core.Confirm, o)
	}
	// Only register may call a sign-up refused: after it the account may exist.
	return v.move(core.Move{To: core.Unknown, Answer: &o, Event: say("confirm ended with " + string(o.Code) + ": " + o.Reason)})
}

// login runs the login phase once per context.
func (v *visit) login() (core.Outcome, error) {
	if v.signedIn && v.open {
		return core.Outcome{Status: core.Done}, nil
	}
	if !v.b.Manifest.Has(core.Login) {
		return core.Outcome{Status: core.Done}, nil
	}
	o, err := v.phase(core.Login)
	v.signedIn = err == nil && o.Status == core.Done
	return o, err
}

// signIn signs in for what follows; when that does not work the task has moved.
func (v *visit) signIn() error {
	o, err := v.login()
	if err != nil {
		return v.broke(core.Login, err)
	}
	switch o.Status {
	case core.Waiting:
		return v.wait(core.Login, o)
	case core.Blocked:
		return v.park(core.Login, o)
	case core.Rejected:
		v.saw("")
		return v.reject(o)
	}
	return nil
}

// wait gives the slot back until the site may be asked again. All waiting of one
// series is bounded.
func (v *visit) wait(p core.Phase, o core.Outcome) error {
	if o.Code == core.RateLimited || o.Code == core.SiteDown {
		v.saw(string(o.Code))
	}
	since := v.rec.WaitingSince
	if since.IsZero() {
		since = time.Now()
	}
	waited := time.Since(since)
	if waited > v.r.o.Limits.WaitMax {
		return v.gaveUp(p, fmt.Sprintf("waited %s in all; the last answer: %s %s", waited.Round(time.Minute), o.Code, o.Reason))
	}
	after := o.After
	if after == 0 {
		// The longer it took so far, the less often it is asked.
		after = min(max(core.MinAfter, waited/4), v.r.o.Limits.BackoffMax)
	}
	v.dropPage()
	return v.move(core.Move{To: core.Delayed, Phase: p, Due: time.Now().Add(after), Answer: &o,
		Event: say(fmt.Sprintf("%s: %s; again in %s", o.Code, o.Reason, after.Round(time.Second)))})
}

// park asks a person, unless the phase has asked already, and gives the slot back.
func (v *visit) park(p core.Phase, o core.Outcome) error {
	if v.rec.State != core.Held && !v.asked {
		ctx, cancel := v.ledger()
		defer cancel()
		ask := core.Ask{Kind: core.AskAct, Code: o.Code, Say: o.Reason}
		expires := time.Now().Add(v.r.o.Limits.HumanExpires)
		id, _, answered, err := v.r.o.Store.OpenAsk(ctx, v.rec.Lease, ask, expires)
		if err == nil && answered {
			// That answer let the phase in again; the site still asks.
			id, _, _, err = v.r.o.Store.OpenAsk(ctx, v.rec.Lease, ask, expires)
		}
		if err != nil {
			return ofLedger(fmt.Errorf("ask a person: %w", err))
		}
		v.picture(id)
	}
	v.asked = false
	v.dropPage()
	return v.move(core.Move{To: core.Parked, Phase: p, Answer: &o, Event: say(fmt.Sprintf("%s: %s; parked for a person", o.Code, o.Reason))})
}

// broke handles a broken run. Before an intent, and after the account is proved,
// it may be tried again; in between the task becomes unknown.
func (v *visit) broke(p core.Phase, err error) error {
	if v.stopped(err) {
		return orCause(v.ctx, err)
	}
	v.dropPage()
	f := core.AsFault(err, core.Crashed)
	v.suffered(err)
	if v.rec.State == core.Held {
		if err := v.move(core.Move{To: v.rec.From, Phase: p, Event: say("the phase ended while a person was asked")}); err != nil {
			return err
		}
	}
	why := string(p) + ": " + f.Error()
	if v.rec.Broken+1 < v.r.o.Limits.Attempts {
		v.later(time.Now().Add(v.backoff(v.rec.Broken)), true, why)
		return nil
	}
	return v.gaveUp(p, why)
}

// gaveUp ends what was tried often or long enough: failed, or unknown where an
// account may exist.
func (v *visit) gaveUp(p core.Phase, why string) error {
	v.dropPage()
	switch v.rec.State {
	case core.Submitted:
		if err := v.move(core.Move{To: core.Unknown, Phase: p, Fault: why, Event: say(why)}); err != nil {
			return err
		}
		return nil
	case core.Unknown:
		v.later(time.Time{}, false, why+"; a person must say whether the account exists: rollcall task resolve "+v.rec.ID)
		return nil
	}
	return v.move(core.Move{To: core.Failed, Fault: why, FreeIdentities: v.rec.Account == nil, Event: say(why)})
}

// backoff is full jitter over a doubling time.
func (v *visit) backoff(n int) time.Duration {
	l := v.r.o.Limits
	top := l.BackoffMin << min(n, 20)
	if top <= 0 || top > l.BackoffMax {
		top = l.BackoffMax
	}
	return l.BackoffMin/2 + v.r.o.Jitter(top)
}

// suffered counts a broken run in the site's series.
func (v *visit) suffered(err error) {
	if c := cause(err); c != "" {
		v.saw(c)
	}
}

// cause names a fault for the site's series: the same place breaking in the same way.
func cause(err error) string {
	f := core.AsFault(err, core.Crashed)
	if f.Code == core.Cancelled || f.Code == core.LeaseGone {
		return ""
	}
	s := string(f.Code)
	if f.Phase != "" {
		s += " in " + string(f.Phase)
	}
	if f.Verb != "" {
		s += " at " + f.Verb + "(" + f.Locator + ")"
	}
	return s
}

// orCause prefers why the visit's context ended to what that made of a call.
func orCause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil {
		return c
	}
	return err
}
