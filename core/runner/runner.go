package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// Runner runs tasks until its context ends, or, with Options.Once, until there
// is nothing left to do.
type Runner struct {
	o   Options
	run chan struct{} // one token for each task that may run now
	hld chan struct{} // one token for each task that may be held now
	now atomic.Int64  // how many tasks may run for the time being, Options.Slots at most

	mu       sync.Mutex
	idle     []*slot
	made     int
	era      int               // how often the runner has joined the ledger anew
	visits   map[string]*visit // by task id
	adrift   map[string]adrift // by task id
	tally    Tally
	restored time.Time // when the ledger was copied that this run works on; zero: it is no restored copy
	pausing  authPause
	early    early // of claims, used by one goroutine
	bulks    []BulkService
	rebulk   chan struct{} // closed when bulks are replaced
	appetite *appetite

	siting sync.Mutex        // held while the ledger is told of the sites
	sited  []core.SiteLimits // what it was told last, when told
	told   bool

	wake    chan struct{} // a slot became free, or something else of our own changed
	left    chan struct{} // gets a token after a visit has ended
	reports *deliveries
	visited sync.WaitGroup
}

// Tally is what a run saw.
type Tally struct {
	Tasks    map[string]core.State // the last state of every task that this run moved
	HeldBack map[string]HeldBack   // by domain: tasks that were listed and can't be run here
	Listed   int                   // tasks of the last complete listing
}

// HeldBack is why a domain's tasks are not run.
type HeldBack struct {
	Tasks   int
	Allowed bool
	Reason  string
	Command string
}

// New checks the options and returns a Runner that has done nothing yet.
func New(o Options) (*Runner, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	o = instrument(o)
	r := &Runner{
		o:      o,
		run:    make(chan struct{}, o.Slots),
		hld:    make(chan struct{}, o.Slots),
		visits: map[string]*visit{},
		adrift: map[string]adrift{},
		wake:   make(chan struct{}, 1),
		left:   make(chan struct{}, 1),
		// As many as there may be calls of start.
		reports: newDeliveries(max(leastReports, o.Slots)),
		bulks:   o.Bulks,
		rebulk:  make(chan struct{}), appetite: newAppetite(),
		tally: Tally{Tasks: map[string]core.State{}, HeldBack: map[string]HeldBack{}},
	}
	r.now.Store(int64(o.Slots))
	for range o.Slots {
		r.run <- struct{}{}
		r.hld <- struct{}{}
	}
	return r, nil
}

// Tally returns a copy of what the run saw so far.
func (r *Runner) Tally() Tally {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := Tally{Tasks: map[string]core.State{}, HeldBack: map[string]HeldBack{}, Listed: r.tally.Listed}
	for k, v := range r.tally.Tasks {
		t.Tasks[k] = v
	}
	for k, v := range r.tally.HeldBack {
		t.HeldBack[k] = v
	}
	return t
}

// errDone ends a run with Options.Once.
var errDone = errors.New("nothing is left to do")

// Run works until ctx ends and then drains: visits go on for Limits.Drain at
// most. A second context, now, ends them at once; it may be nil. Run returns nil
// after a drain and with Options.Once, otherwise what made it stop.
func (r *Runner) Run(ctx, now context.Context) error {
	if now == nil {
		now = context.Background()
	}
	hard, stopHard := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stopHard(nil)
	if err := r.join(ctx); err != nil {
		return err
	}

	loop, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	background, stopBackground := context.WithCancelCause(hard)
	defer stopBackground(nil)
	var loops, keepers sync.WaitGroup
	start := func(wg *sync.WaitGroup, ctx context.Context, what string, f func(context.Context) error) {
		wg.Go(func() {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				if !errors.Is(err, errDone) {
					err = fmt.Errorf("%s: %w", what, err)
				}
				stop(err)
			}
		})
	}
	start(&keepers, background, "heartbeat", r.beat)
	start(&loops, loop, "list", r.listing)
	start(&loops, loop, "sites", r.sites)
	start(&loops, loop, "upkeep", r.upkeep)
	start(&loops, loop, "claim", func(ctx context.Context) error { return r.claiming(ctx, hard) })
	start(&keepers, background, "report", func(ctx context.Context) error { return r.reporting(ctx, now) })
	start(&loops, loop, "bulk sites", func(ctx context.Context) error { return r.bulking(ctx, hard) })

	<-loop.Done()
	loops.Wait()
	r.drain(now, stopHard)
	stopBackground(nil)
	keepers.Wait()
	r.closeSlots()
	leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := r.o.Store.Leave(leave, r.o.Owner); err != nil {
		r.o.Log.Warn("the leases end by themselves", "err", err)
	}
	if cause := context.Cause(loop); cause != nil && !errors.Is(cause, errDone) && ctx.Err() == nil {
		return cause
	}
	return nil
}

// join registers the runner with what it can run. A database that is away for a
// moment, being restarted, is waited for.
func (r *Runner) join(ctx context.Context) error {
	for {
		err := r.o.Store.Join(ctx, r.o.Owner, r.o.Limits.Lease)
		if err == nil {
			err = r.putSites(ctx, false)
		}
		if err == nil {
			err = r.readRestored(ctx)
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
		if err := r.patient(ctx, "join", err); err != nil {
			return err
		}
	}
}

// drain waits for the visits under way: until they end, Limits.Drain has passed
// or now ends. Then the rest is cancelled, which costs no task an attempt.
func (r *Runner) drain(now context.Context, stopHard context.CancelCauseFunc) {
	done := make(chan struct{})
	go func() { r.visited.Wait(); close(done) }()
	r.unhold()
	if n := r.busy(); n > 0 {
		r.o.Log.Info("stopping: the tasks under way end first; a second signal stops at once", "tasks", n, "at_most", r.o.Limits.Drain.String())
	}
	patience := time.NewTimer(r.o.Limits.Drain)
	defer patience.Stop()
	select {
	case <-done:
		return
	case <-patience.C:
	case <-now.Done():
	}
	stopHard(errStopping)
	<-done
}

// errStopping is why a visit is cancelled when the runner stops.
var errStopping = errors.New("the runner is stopping")

// claiming hands due tasks to free slots. It blocks on signals: a slot that is
// free again, a change in the ledger, the next due time.
func (r *Runner) claiming(ctx, hard context.Context) error {
	changed, cancel := r.o.Store.Subscribe()
	defer cancel()
	for {
		select {
		case <-r.run:
		case <-ctx.Done():
			return nil
		}
		err := r.claim(ctx, hard, changed)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// claim starts a visit with the token that the caller holds, or waits and gives the token back.
func (r *Runner) claim(ctx, hard context.Context, changed <-chan struct{}) error {
	give := func() { r.run <- struct{}{} }
	if r.full() {
		give()
		return r.sleep(ctx, r.o.Limits.Sweep) // until a task ends or there is more room
	}
	if wait := r.pausing.left(); wait > 0 {
		give()
		return r.sleep(ctx, wait)
	}
	asked, looked := r.o.Egress.Now(), time.Now()
	begun := false
	rec, err := r.o.Store.Claim(ctx, r.o.Owner, r.o.Limits.Lease, func(rec core.Record) (m core.Move, ok bool) {
		m, begun = r.first(rec)
		return m, begun
	})
	if err == nil {
		r.early.end()
		s, err := r.slot(ctx, rec.Domain)
		if err != nil {
			give()
			return err
		}
		v := r.newVisit(hard, s, rec, asked+r.o.Limits.Lease)
		r.visited.Go(func() {
			if begun {
				v.fresh = true
				v.tell(core.Move{To: core.Starting, Event: starting})
			}
			v.run()
			r.leave(v)
			v.permit.release(r)
			r.nudge()
		})
		return nil
	}
	give()
	if !errors.Is(err, core.ErrNothing) {
		return r.patient(ctx, "claim", err)
	}
	due, err := r.o.Store.NextDue(ctx, r.o.Owner)
	if err != nil {
		return r.patient(ctx, "claim", err)
	}
	await(r.early.wait(due, r.o.Limits.Sweep), looked, changed, func(due <-chan time.Time, told <-chan struct{}) bool {
		select {
		case <-told:
			return true
		case <-due:
		case <-r.wake:
		case <-ctx.Done():
		}
		return false
	})
	return nil
}

// early tells how long to wait for a moment that the ledger names. Where its clock
// is behind ours, nothing is due yet when that moment has come: it is asked again,
// less and less often.
type early struct{ times int }

func (e *early) wait(due time.Time, most time.Duration) time.Duration {
	if due.IsZero() {
		e.times = 0
		return most
	}
	if wait := time.Until(due); wait > 0 {
		e.times = 0
		return min(most, wait+time.Millisecond)
	}
	e.times++
	return min(most, time.Second, time.Millisecond<<min(e.times-1, 10))
}

func (e *early) end() { e.times = 0 }

// sleep waits for d or a nudge.
func (r *Runner) sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.wake:
	case <-ctx.Done():
	}
	return nil
}

func (r *Runner) nudge() { ping(r.wake) }

// ping leaves a token for whoever waits, one at most.
func ping(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// patient handles a ledger that failed: what can't be stored must not be done,
// so the runner stops with a clear word, except where a database may come back.
func (r *Runner) patient(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	var temporary interface{ Temporary() bool }
	if errors.As(err, &temporary) && temporary.Temporary() {
		r.o.Log.Error("the ledger does not answer; trying again", "op", what, "err", err)
		return r.sleep(ctx, r.o.Limits.BackoffMin)
	}
	return fmt.Errorf("%s: the ledger failed: %w", what, err)
}

// putSites tells the ledger what this runner can run; changes only says that it is
// told already unless that has changed since.
func (r *Runner) putSites(ctx context.Context, changes bool) error {
	r.siting.Lock()
	defer r.siting.Unlock()
	var sites []core.SiteLimits
	for _, b := range r.o.Catalog.Bindings() {
		if r.isBulk(b.Domain) {
			continue // its own loop claims its tasks
		}
		sites = append(sites, core.SiteLimits{
			Domain: b.Domain, Driver: b.Driver, Every: b.Pace.Every,
			Concurrency: max(b.Pace.Concurrency, 1), MaxPerDay: b.MaxPerDay, Expires: b.Expires,
		})
	}
	if changes && r.told && slices.Equal(sites, r.sited) {
		return nil
	}
	r.told = false
	if err := r.o.Store.PutSites(ctx, r.o.Owner, sites); err != nil {
		return fmt.Errorf("record the sites: %w", err)
	}
	r.sited, r.told = sites, true
	return nil
}

func (r *Runner) sites(ctx context.Context) error {
	for {
		changed := r.o.Catalog.Changed()
		_, bulks := r.bulkSites()
		if err := r.putSites(ctx, true); err != nil {
			if err := r.patient(ctx, "sites", err); err != nil {
				return err
			}
		}
		r.nudge()
		select {
		case <-changed:
		case <-bulks:
		case <-ctx.Done():
			return nil
		}
	}
}

func (r *Runner) notice(n Notice) {
	if r.o.Observe == nil {
		return
	}
	n.At = time.Now()
	n.Text = r.line(n.Text)
	r.o.Observe(n)
}
