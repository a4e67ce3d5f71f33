package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/rollcall-run/rollcall/core"
)

// OpenIntentError says that an intent which may have made an account is still
// open, so that a second one must not begin. Only a probe or a person closes it.
type OpenIntentError struct {
	TaskID string // whose intent is open
}

func (e *OpenIntentError) Error() string {
	return "task " + e.TaskID + " has an open intent for the same account; it must be proved or refused first"
}

// ErrNotJoined is returned to a runner whose registration is gone: it joins
// again and says again which sites it can run.
var ErrNotJoined = core.ErrNotJoined

// fail adds what was being done to an error of the database. The ledger's own
// errors pass unchanged.
func (l *Ledger) fail(what string, err error) error {
	if err == nil {
		return nil
	}
	for _, own := range []error{core.ErrNothing, core.ErrLeaseLost, core.ErrUnknownTask, core.ErrUnknownAsk, core.ErrAskClosed,
		ErrNotJoined, context.Canceled} {
		if errors.Is(err, own) {
			return err
		}
	}
	var (
		edge   *core.EdgeError
		taken  *core.TakenError
		intent *OpenIntentError
	)
	if errors.As(err, &edge) || errors.As(err, &taken) || errors.As(err, &intent) {
		return err
	}
	return fmt.Errorf("ledger: %s: %w", what, l.clean(err))
}
