package runner

import (
	"errors"

	"github.com/rollcall-run/rollcall/core"
)

// ledgerFault is a step of a visit that the ledger failed to store. Neither the
// driver nor the site has anything to do with it: the visit ends, the task loses no
// attempt and goes on at its last step once the ledger works again.
type ledgerFault struct{ err error }

func (f *ledgerFault) Error() string { return f.err.Error() }
func (f *ledgerFault) Unwrap() error { return f.err }

// ofLedger makes err a ledgerFault, unless the ledger has understood the call and
// declined it.
func ofLedger(err error) error {
	edge, taken := (*core.EdgeError)(nil), (*core.TakenError)(nil)
	if err == nil || errors.Is(err, core.ErrLeaseLost) || errors.As(err, &edge) || errors.As(err, &taken) {
		return err
	}
	return &ledgerFault{err}
}

func isLedgerFault(err error) bool {
	var f *ledgerFault
	return errors.As(err, &f)
}

// kept returns err after it has taken a note of a ledgerFault: with one the phase
// has not done what its driver may still say it did.
func (s *services) kept(err error) error {
	if isLedgerFault(err) {
		s.mu.Lock()
		s.unkept = err
		s.mu.Unlock()
	}
	return err
}

// stopped reports whether what a phase ended with says nothing about driver and
// site: the visit can't go on.
func (v *visit) stopped(err error) bool {
	return v.ctx.Err() != nil || errors.Is(err, core.ErrLeaseLost) || isLedgerFault(err)
}
