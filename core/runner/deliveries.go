package runner

import (
	"context"
	"sync"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// reportLease is how many half leases a report is claimed for: the calls of a
// delivery take one lease at most. Nothing renews the claim, so that a report whose
// outcome could not be stored is due again by itself.
const reportLease = 3

// leastReports is how many reports may be on their way at the same time where there
// are fewer slots: a task manager far away answers each late.
const leastReports = 4

// deliveries are the reports on their way. A visit that ends hands its own over at
// once where there is room; the loop takes what is left in the outbox.
type deliveries struct {
	free   chan struct{} // a token for each that may begin
	failed chan error    // what stops the runner
	ended  chan struct{} // gets a token after one has ended
	under  sync.WaitGroup

	mu       sync.Mutex
	n        int             // tokens taken
	ctx      context.Context // nil before the loop has begun, and after it has ended
	stopping context.Context
}

func newDeliveries(most int) *deliveries {
	d := &deliveries{free: make(chan struct{}, most), failed: make(chan error, 1), ended: make(chan struct{}, 1)}
	for range most {
		d.free <- struct{}{}
	}
	return d
}

// open lets visits hand their reports over, close ends that and waits for them.
func (d *deliveries) open(ctx, stopping context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ctx, d.stopping = ctx, stopping
}

func (d *deliveries) close() {
	d.mu.Lock()
	d.ctx = nil
	d.mu.Unlock()
	d.under.Wait()
}

// reserve takes a token for a report that is about to be made, false where none is free.
func (d *deliveries) reserve() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ctx == nil {
		return false
	}
	select {
	case <-d.free:
		d.take()
		return true
	default:
		return false
	}
}

// take counts a token that was taken; d.mu is held.
func (d *deliveries) take() {
	d.n++
	d.under.Add(1)
}

// give gives a token back.
func (d *deliveries) give() {
	d.mu.Lock()
	d.n--
	d.mu.Unlock()
	d.free <- struct{}{}
	ping(d.ended)
	d.under.Done()
}

// busy is how many reports are on their way, or about to be.
func (d *deliveries) busy() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.n
}

// deliverLease is how long a report is claimed for.
func (r *Runner) deliverLease() time.Duration { return r.o.Limits.Lease * reportLease / 2 }

// hand delivers a claimed report, for which a token was taken.
func (r *Runner) hand(item core.OutboxItem) {
	d := r.reports
	d.mu.Lock()
	ctx, stopping := d.ctx, d.stopping
	d.mu.Unlock()
	if ctx == nil { // the loop has failed: the claim ends, and the report is due again
		d.give()
		return
	}
	go func() {
		if err := r.delivered(ctx, stopping, item); err != nil {
			select { // before the token: whoever gets that one sees it
			case d.failed <- err:
			default: // one is enough
			}
		}
		d.give()
	}()
}
