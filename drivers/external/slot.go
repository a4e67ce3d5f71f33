//go:build linux

package external

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/plugins"
)

// slot is the processes of one slot: the worker, and a plugin when one was used.
type slot struct {
	host *Host
	name string
	turn chan struct{} // held by the one who uses the slot

	mu        sync.Mutex
	id        int // index of the slot's user id, -1 for none yet
	processes map[*program]*process
	closed    bool
	resting   *time.Timer // nil unless the processes end when they are idle
}

var _ core.Worker = (*slot)(nil)

// Run runs a phase in the slot's process. Calls follow each other.
func (s *slot) Run(ctx context.Context, b core.Binding, phase core.Phase, task core.Task, session core.Session) (core.Outcome, error) {
	if a := s.host.at(b); a != nil {
		return a.run(ctx, phase, task, session)
	}
	var ref plugins.DriverRef
	pr := s.host.plugin(b)
	if pr == nil {
		pr = s.host.worker
		var err error
		if ref, err = s.host.opt.Sources(b); err != nil {
			return core.Outcome{}, fault(core.AsFault(err, core.DriverError), phase)
		}
	}
	task.Entity = task.Entity.ForDriver()
	var o core.Outcome
	err := s.use(ctx, pr, phase, session.Services, func(p *process) error {
		var err error
		if o, err = p.remote.Run(ctx, ref, phase, task, session); err != nil {
			return err
		}
		if err := o.Check(phase); err != nil {
			return &core.Fault{Code: core.DriverError, Phase: phase, Why: err.Error()}
		}
		return nil
	})
	if err != nil {
		return core.Outcome{}, err
	}
	return o, nil
}

// use runs f with the slot's process of pr, and holds it to ctx and the limits.
// What the process prints meanwhile goes to the log of services, which may be
// nil. f itself ends soon after the process has died.
func (s *slot) use(ctx context.Context, pr *program, phase core.Phase, services core.Services, f func(*process) error) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ended(ctx, ctx.Err(), phase)
	}
	p, err := s.process(ctx, pr)
	if err != nil {
		if ctx.Err() != nil {
			return ended(ctx, err, phase)
		}
		return fault(core.AsFault(err, core.Crashed), phase)
	}
	p.begin()
	defer p.spoken.open(ctx, services)()
	s.host.watcher.add(p)
	defer s.host.watcher.remove(p)

	done := make(chan error, 1)
	go func() { done <- f(p) }()
	over := ctx.Done()
	var grace *time.Timer
	var late <-chan time.Time
	for {
		select {
		case err = <-done:
			if grace != nil {
				grace.Stop()
			}
			return s.settle(ctx, p, err, phase)
		case <-over:
			over = nil
			grace = time.NewTimer(s.host.opt.Grace)
			late = grace.C
		case <-late:
			p.kill(killOverrun)
		}
	}
}

// settle turns what came of a use into its error, and ends a process that is
// not fit for the next one.
func (s *slot) settle(ctx context.Context, p *process, err error, phase core.Phase) error {
	if reason := p.reason(); reason != 0 || broken(err) {
		if c := status.Code(err); reason == 0 && (c == codes.Unavailable || c == codes.Canceled) {
			// A process that dies closes its connection a moment before it is dead.
			p.await(s.host.opt.Grace)
		}
		p.kill(killBroken)
		<-p.exited
		f := s.death(ctx, p, err, phase)
		s.died(p, f)
		return f
	}
	p.program.series.served()
	if p.resident() > int64(s.host.opt.MemoryMB)<<20/2 {
		p.kill(killIdle)
		<-p.exited
		s.host.log.Debug("worker recycled: its memory grew", "slot", s.name, "pid", p.pid)
	}
	if err == nil {
		return nil
	}
	if over(ctx) {
		return ended(ctx, err, phase)
	}
	return own(err, phase)
}

// over reports whether ctx has ended, also where the driver's timer was quicker
// than ours.
func over(ctx context.Context) bool {
	if d, ok := ctx.Deadline(); ok && !time.Now().Before(d) {
		<-ctx.Done()
	}
	return ctx.Err() != nil
}

// process returns the live process of pr, a new one when there is none.
func (s *slot) process(ctx context.Context, pr *program) (*process, error) {
	s.mu.Lock()
	p, id, closed := s.processes[pr], s.id, s.closed
	s.mu.Unlock()
	if closed {
		return nil, errClosed
	}
	if p != nil {
		if p.alive() {
			return p, nil
		}
		s.endedIdle(p)
	}
	if err := pr.series.admits(s.host.now()); err != nil {
		return nil, err
	}
	if id < 0 {
		var err error
		if id, err = s.host.user(); err != nil {
			return nil, err
		}
	}
	p = newProcess(s.host, pr, id)
	s.mu.Lock()
	s.id = id
	if closed = s.closed; !closed {
		s.processes[pr] = p
	}
	s.mu.Unlock()
	if closed {
		return nil, errClosed
	}
	begin := time.Now()
	if err := p.start(ctx); err != nil {
		s.host.log.Warn("worker did not start", "program", pr.name, "slot", s.name, "error", err)
		if ctx.Err() == nil {
			s.died(p, core.AsFault(err, core.Crashed))
		}
		return nil, err
	}
	s.host.log.Debug("worker started", "program", pr.name, "slot", s.name, "pid", p.pid, "contract", p.remote.Contract(), "took", time.Since(begin))
	return p, nil
}

// died adds the death of a plugin's process, whose fault is f, to the plugin's
// series. A worker has none: it serves every script, and one of them is no
// reason to rest the others. Nor do deaths count that rollcall wanted.
func (s *slot) died(p *process, f *core.Fault) {
	if p.counted {
		return
	}
	p.counted = true
	switch p.reason() {
	case killOverrun, killClosed, killIdle:
		return
	}
	if !p.program.foreign {
		return
	}
	if rest := p.program.series.died(p.begun, s.host.now(), f.Why); rest > 0 {
		s.host.log.Warn("a plugin that keeps dying rests before its next start", "program", p.program.name, "rest", rest, "why", f.Why)
	}
}

// endedIdle accounts for a process that ended when no run was under way.
func (s *slot) endedIdle(p *process) {
	p.await(s.host.opt.Grace) // a zombie is reaped at once
	select {
	case <-p.exited:
	default:
		return
	}
	if why := p.reason(); p.counted || why != 0 && why != killSick {
		return
	}
	s.died(p, s.death(context.Background(), p, nil, ""))
}

// restAfter ends the slot's processes once nobody has used the slot for d.
func (s *slot) restAfter(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
	case s.resting == nil:
		s.resting = time.AfterFunc(d, s.rest)
	default:
		s.resting.Reset(d)
	}
}

func (s *slot) rest() {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	default:
		return // it is in use, and rests after that
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.processes {
		p.kill(killIdle)
	}
}

// kill ends the slot's processes without waiting.
func (s *slot) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.resting != nil {
		s.resting.Stop()
	}
	for _, p := range s.processes {
		p.kill(killClosed)
	}
}

// Close kills the slot's processes, waits until they are gone and for a run to
// have returned, and takes the slot off its host.
func (s *slot) Close() error {
	s.kill()
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	s.mu.Lock()
	for _, p := range s.processes {
		<-p.gone
	}
	clear(s.processes)
	id := s.id
	s.id = -1
	s.mu.Unlock()
	s.host.freeUser(id)
	s.host.mu.Lock()
	if s.host.slots[s.name] == s {
		delete(s.host.slots, s.name)
	}
	s.host.mu.Unlock()
	return nil
}
