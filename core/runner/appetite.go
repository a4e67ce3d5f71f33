package runner

import "sync/atomic"

// appetite asks for the next list before its time, once so many tasks of the last
// one have been begun that the rest may not last until then.
type appetite struct {
	left   atomic.Int64
	hungry chan struct{}
}

func newAppetite() *appetite { return &appetite{hungry: make(chan struct{}, 1)} }

// served says what a list brought that may have more behind it: listed tasks, of
// which so many can run. Where few can, the time of the next list is soon enough.
func (a *appetite) served(listed, run int) {
	select {
	case <-a.hungry:
	default:
	}
	a.left.Store(int64(max(run/2, listed/10, 1)))
}

// sated says that nothing is behind the last list.
func (a *appetite) sated() { a.left.Store(0) }

// begin counts a task that was begun.
func (a *appetite) begin() {
	if a.left.Add(-1) != 0 {
		return
	}
	select {
	case a.hungry <- struct{}{}:
	default:
	}
}
