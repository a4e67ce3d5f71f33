package runner

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// mailAgain is how soon a probe looks again for the mail that would prove the account.
const mailAgain = 2 * time.Minute

// probe finds out whether an intent without an outcome made an account: by the
// mail that confirms it, by a login, by verify. It never submits anything again,
// and what it can't decide is left to a person.
func (v *visit) probe() error {
	if err := v.bind(); err != nil {
		v.later(time.Now().Add(v.r.o.Limits.BackoffMax), false, err.Error())
		return nil
	}
	v.dropPage()
	in := v.rec.Intent
	if in == nil {
		v.later(time.Time{}, false, "nothing was committed, yet the driver said done; a person must look")
		return nil
	}
	m := v.b.Manifest
	pending := core.Outcome{}
	var fault error

	if m.Has(core.Confirm) && in.HasMark {
		o, err := v.phase(core.Confirm)
		switch {
		case err != nil && v.stopped(err):
			return orCause(v.ctx, err)
		case err != nil:
			fault = err
		case o.Status == core.Done:
			v.signedIn = true
			return v.prove("the mail proved the account")
		case o.Status == core.Waiting:
			pending = o
		case o.Status == core.Blocked:
			return v.park(core.Confirm, o)
		}
		v.dropPage()
	}

	absent, decided := false, false
	if m.Has(core.Login) {
		o, err := v.phase(core.Login)
		switch {
		case err != nil && v.stopped(err):
			return orCause(v.ctx, err)
		case err != nil:
			fault = err
		case o.Status == core.Done:
			v.signedIn = true
			return v.prove("a login proved the account")
		case o.Status == core.Waiting:
			return v.wait(core.Login, o)
		case o.Status == core.Blocked:
			return v.park(core.Login, o)
		default:
			decided = true
			absent = o.Code == core.BadCredentials && m.Probe.Authoritative
		}
		v.dropPage()
	}
	if !absent && m.Has(core.Verify) {
		o, err := v.phase(core.Verify)
		switch {
		case err != nil && v.stopped(err):
			return orCause(v.ctx, err)
		case err != nil:
			fault = err
		case o.Status == core.Absent:
			decided = true
			absent = m.Probe.Authoritative
		case o.Status == core.Done && !m.Has(core.Login):
			return v.prove("the site shows the account")
		}
		v.dropPage()
	}
	switch {
	case absent:
		return v.absent(in)
	case pending.Status == core.Waiting && time.Since(in.At) < v.r.o.Limits.MailWithin:
		if pending.After == 0 {
			pending.After = mailAgain
		}
		return v.wait(core.Confirm, pending)
	case fault != nil && !decided:
		return v.broke(core.Login, fault)
	}
	v.later(time.Time{}, false, "the probe could not decide; rollcall task resolve "+v.rec.ID+" --created|--absent|--fail")
	return nil
}

// factDoubt keeps, for the open intent, when each machine first looked for an
// account in vain.
const factDoubt = "_doubt"

// doubt is what factDoubt holds.
type doubt struct {
	Intent string                   // its id
	Looks  map[string]time.Duration // by boot: a reading of the clock that never jumps
}

// maxLooks bounds the machines that a doubt remembers.
const maxLooks = 16

// unsettled is how long it must still be waited before an absence counts: a lease
// and the site's settle time after this machine first looked in vain. What was
// submitted left before the end of the lease that submitted it, which may be long
// after the intent, and may arrive as late as the settle time. No wall clock is asked.
func (v *visit) unsettled(in *core.Intent) (time.Duration, error) {
	now, need := v.r.o.Clock(), v.r.o.Limits.Lease+v.b.Manifest.Probe.Settle
	var d doubt
	if kept := v.rec.Facts[factDoubt].Reveal(); kept != "" {
		if err := json.Unmarshal([]byte(kept), &d); err != nil {
			return 0, fmt.Errorf("read since when the account is looked for: %w", err)
		}
	}
	if d.Intent != in.ID || len(d.Looks) >= maxLooks {
		d = doubt{Intent: in.ID}
	}
	if first, looked := d.Looks[now.Boot]; looked {
		return need - (now.At - first), nil
	}
	if d.Looks == nil {
		d.Looks = map[string]time.Duration{}
	}
	d.Looks[now.Boot] = now.At
	kept, err := json.Marshal(d)
	if err != nil {
		return 0, fmt.Errorf("keep since when the account is looked for: %w", err)
	}
	return need, v.note(core.Facts{factDoubt: core.Text(string(kept))})
}

// absent believes that there is no account once a late commit can't happen any more.
func (v *visit) absent(in *core.Intent) error {
	wait, err := v.unsettled(in)
	if err != nil {
		return err
	}
	if wait > 0 {
		v.later(time.Now().Add(wait), false, "no account is there yet; looking once more when a late sign-up can't arrive any more")
		return nil
	}
	to := core.Move{To: core.Prepared, End: core.IntentAbsent, Facts: core.Facts{factAbsent: core.Text("1"), factDoubt: core.Value{}},
		Event: say("the probe proved that no account was made")}
	if v.rec.Broken+1 >= v.r.o.Limits.Attempts {
		to.To, to.FreeIdentities = core.Failed, true
	}
	if err := v.move(to); err != nil || to.To == core.Failed {
		return err
	}
	v.later(time.Now().Add(v.backoff(v.rec.Broken)), true, "the sign-up is tried again")
	return nil
}
