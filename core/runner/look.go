package runner

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

const (
	factLook   = "_look"   // set: an earlier life of ours may have signed up
	factLooked = "_looked" // the copy of the ledger whose lost time was looked into
)

// readRestored finds out whether the ledger is a restored copy.
func (r *Runner) readRestored(ctx context.Context) error {
	stamp, err := r.o.Store.Flag(ctx, core.FlagBackup)
	if err != nil {
		return fmt.Errorf("look whether the ledger was restored: %w", err)
	}
	if stamp == "" {
		return nil
	}
	if r.restored, err = time.Parse(time.RFC3339Nano, stamp); err != nil {
		return fmt.Errorf("the ledger's flag %s is no time: %q", core.FlagBackup, stamp)
	}
	r.o.Log.Warn("this ledger is a restored copy: tasks that it knows are looked for on their sites before anything is submitted", "copied", stamp)
	return nil
}

// unseen says why this ledger may not know of a sign-up of the task, "" when it would.
func (v *visit) unseen() string {
	r := v.r.restored
	switch {
	case !v.rec.Facts[factLook].Empty():
		return "the task was under way before this ledger knew it"
	case !r.IsZero() && !v.rec.Created.After(r) && v.rec.Facts[factLooked].Reveal() != r.Format(time.RFC3339Nano):
		return "the ledger was restored from a copy that is older than what may have been submitted"
	}
	return ""
}

// look signs in with the task's credentials before a sign-up that may be the
// second one. Only a login that proves absence lets the sign-up begin.
func (v *visit) look(why string) error {
	seen := core.Facts{factLook: core.Value{}}
	if !v.r.restored.IsZero() {
		seen[factLooked] = core.Text(v.r.restored.Format(time.RFC3339Nano))
	}
	o := core.Outcome{Status: core.Rejected, Reason: "the driver has no login"}
	if v.b.Manifest.Has(core.Login) {
		var err error
		if o, err = v.login(); err != nil {
			return v.broke(core.Login, err)
		}
	}
	switch o.Status {
	case core.Done:
		if err := v.note(seen); err != nil {
			return err
		}
		return v.prove("signed in: an earlier life of ours made the account")
	case core.Waiting:
		return v.wait(core.Login, o)
	case core.Blocked:
		return v.park(core.Login, o)
	}
	v.dropPage()
	if err := v.note(seen); err != nil {
		return err
	}
	if o.Code == core.BadCredentials && v.b.Manifest.Probe.Authoritative {
		return nil // there is no account: the next step signs up
	}
	why += ", and the login does not decide: " + o.Reason + "; rollcall task resolve " + v.id + " --created|--absent|--fail"
	if err := v.move(core.Move{To: core.Unknown, Fault: why, Event: say(why)}); err != nil {
		return err
	}
	v.later(time.Time{}, false, why)
	return nil
}
