package browser

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// DefaultUID is the user and group id under which a root runner starts
// Chromium. It is in a range that Debian and systemd leave free, needs no entry
// in /etc/passwd, and exists in a container's 65,536 ids too.
const DefaultUID = 60800

// User is a user and a group id.
type User struct{ UID, GID int }

// Options of a Chromium.
type Options struct {
	// Path of the program. Defaults to the best that is installed.
	Path string
	// Headless runs without windows.
	Headless bool
	// Sandbox keeps Chromium's sandbox on. Where the machine can't give it,
	// Launch fails with ErrNoSandbox.
	Sandbox bool
	// Dir is the state directory for profiles. It is made, and swept of what
	// dead runners left. Required.
	Dir string
	// MaxContexts is how many contexts one process serves before a fresh one
	// takes over. Defaults to 200; negative means no limit.
	MaxContexts int
	// MaxMemoryMB is the memory of a process and its renderers at which a fresh
	// one takes over. Defaults to 0, no limit.
	MaxMemoryMB int
	// User runs Chromium under these ids when the runner is root. Defaults to
	// DefaultUID for both; nobody else's ids are changed.
	User *User
	// Logger gets what goes wrong with the process. Defaults to none.
	Logger *slog.Logger
	// HealthEvery is the time between two health calls. Defaults to 5s.
	HealthEvery time.Duration
	// HealthWithin is how long a health call may take before the process is
	// killed. Defaults to 10s.
	HealthWithin time.Duration
	// StartWithin is how long a start may take. Defaults to 30s.
	StartWithin time.Duration
	// ExtraFlags are added to the command line, by tests only.
	ExtraFlags []string
}

// Chromium is the one browser that serves a runner's slots: a process that is
// replaced when it dies, stops answering or has served long enough.
//
// Its DevTools port is on 127.0.0.1 and open to every user of the machine who
// finds it: whoever can connect sees every context, and what is typed there. A
// machine that runs rollcall must have no user who may not see that.
type Chromium struct {
	o       Options
	program string
	shell   bool
	root    string // of the profiles
	starter *starter

	turn chan struct{} // held by whoever starts a process

	mu      sync.Mutex
	closed  bool
	stop    chan struct{} // closed by Close
	current *process      // nil when none serves new contexts
	all     map[*process]struct{}
	running sync.WaitGroup
	failed  int // starts and early deaths in a row
	reason  error
	next    time.Time // no start before
}

var _ core.Browsers = (*Chromium)(nil)

// ErrClosed is returned after Close.
var ErrClosed = errors.New("the browser is closed")

// Back-off of failed starts.
const (
	giveUpAfter = 5                // failures in a row, after which callers don't wait any more
	earlyDeath  = 10 * time.Second // a death this soon counts as a failed start
	minBackoff  = 250 * time.Millisecond
	maxBackoff  = 30 * time.Second
)

// Launch starts a browser. It fails with ErrNoChromium when none is installed
// and with ErrNoSandbox when the machine can't give the sandbox.
func Launch(ctx context.Context, o Options) (*Chromium, error) {
	fill(&o)
	program, shell, err := find(o.Path, o.Headless)
	if err != nil {
		return nil, err
	}
	if !o.Headless && shell {
		return nil, fmt.Errorf("%s has no windows: set headless = true in [browser], or install chromium", program)
	}
	root, err := profileRoot(o.Dir, *o.User)
	if err != nil {
		return nil, err
	}
	if err := sweep(root); err != nil {
		o.Logger.Warn("profiles of an earlier run could not be removed", "err", err)
	}
	s, err := newStarter()
	if err != nil {
		return nil, err
	}
	b := &Chromium{
		o: o, program: program, shell: shell, root: root, starter: s,
		turn: make(chan struct{}, 1), stop: make(chan struct{}), all: map[*process]struct{}{},
	}
	p, err := b.start(ctx)
	if err != nil {
		s.end()
		tidy(root)
		return nil, err
	}
	b.current = p
	return b, nil
}

func fill(o *Options) {
	if o.MaxContexts == 0 {
		o.MaxContexts = 200
	}
	if o.User == nil {
		o.User = &User{DefaultUID, DefaultUID}
	}
	if os.Geteuid() != 0 {
		o.User = &User{os.Geteuid(), os.Getegid()}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	for _, d := range []struct {
		at *time.Duration
		to time.Duration
	}{{&o.HealthEvery, 5 * time.Second}, {&o.HealthWithin, 10 * time.Second}, {&o.StartWithin, 30 * time.Second}} {
		if *d.at <= 0 {
			*d.at = d.to
		}
	}
}

// start starts a process and everything that looks after it.
func (b *Chromium) start(ctx context.Context) (*process, error) {
	p, err := startProcess(ctx, b.starter, b.o, b.program, b.shell, b.root)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	b.all[p] = struct{}{}
	if b.closed {
		p.kill("rollcall is stopping")
	}
	b.running.Add(2)
	b.mu.Unlock()
	go func() {
		defer b.running.Done()
		p.guard(b.o, func() { b.weigh(p) })
	}()
	go func() {
		defer b.running.Done()
		<-p.dead
		b.mu.Lock()
		if b.current == p {
			b.current = nil
		}
		if p.killed() == "" && time.Since(p.began) < earlyDeath {
			b.failure(fmt.Errorf("%s ended %s after its start", b.program, time.Since(p.began).Round(time.Millisecond)))
		}
		b.mu.Unlock()
		<-p.gone
		b.mu.Lock()
		delete(b.all, p)
		b.mu.Unlock()
	}()
	return p, nil
}

// failure counts a failed start; b.mu is held.
func (b *Chromium) failure(err error) {
	b.failed++
	b.reason = err
	b.next = time.Now().Add(min(minBackoff<<min(b.failed-1, 10), maxBackoff))
}

// seat returns a process with a place reserved in it, a fresh one where need be
// and where it is to serve nobody else.
func (b *Chromium) seat(ctx context.Context, own bool) (*process, error) {
	select {
	case b.turn <- struct{}{}:
		defer func() { <-b.turn }()
	case <-b.stop:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the browser: %w", ctx.Err())
	}
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil, ErrClosed
	}
	if p := b.current; !own && p != nil && !p.ended() {
		if !p.worn && (b.o.MaxContexts < 0 || p.opened < b.o.MaxContexts) {
			p.open++
			p.opened++
			b.mu.Unlock()
			return p, nil
		}
		b.retire(p)
	}
	wait, failed, reason := time.Until(b.next), b.failed, b.reason
	b.mu.Unlock()

	if wait > 0 {
		if failed >= giveUpAfter {
			return nil, fmt.Errorf("the browser failed %d times in a row, the next try is in %s; last: %w", failed, wait.Round(time.Second), reason)
		}
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-t.C:
		case <-b.stop:
			return nil, ErrClosed
		case <-ctx.Done():
			return nil, fmt.Errorf("wait to start the browser again: %w; last: %w", ctx.Err(), reason)
		}
	}
	starting, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // Close ends a start under way
		select {
		case <-b.stop:
			cancel()
		case <-starting.Done():
		}
	}()
	p, err := b.start(starting)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, ErrClosed
	}
	if err != nil {
		if ctx.Err() == nil {
			b.failure(err)
		}
		return nil, err
	}
	p.open, p.opened = 1, 1
	if p.worn = own; !own {
		b.current = p
	}
	return p, nil
}

// retire lets p serve its open contexts and no more; b.mu is held.
func (b *Chromium) retire(p *process) {
	p.worn = true
	if b.current == p {
		b.current = nil
	}
	if p.open == 0 {
		p.kill("it has served long enough")
	}
}

// leave gives a seat back.
func (b *Chromium) leave(p *process, lived bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p.open--
	if lived {
		b.failed, b.reason, b.next = 0, nil, time.Time{}
	}
	if p.worn && p.open == 0 {
		p.kill("it has served long enough")
	}
}

// weigh retires p when its memory has grown too large.
func (b *Chromium) weigh(p *process) {
	if b.o.MaxMemoryMB <= 0 {
		return
	}
	if mb := groupMemory(p.cmd.Process.Pid); mb > b.o.MaxMemoryMB {
		b.mu.Lock()
		defer b.mu.Unlock()
		if !p.worn {
			b.o.Logger.Info("the browser has grown and is replaced", "mb", mb, "limit", b.o.MaxMemoryMB)
			b.retire(p)
		}
	}
}

// Close kills the browser and returns when no process and no profile of it is
// left. A second call does nothing.
func (b *Chromium) Close() error {
	b.mu.Lock()
	if !b.closed {
		b.closed = true
		close(b.stop)
	}
	for p := range b.all {
		p.kill("rollcall is stopping")
	}
	b.mu.Unlock()
	b.turn <- struct{}{} // a start under way sees the closing and ends
	<-b.turn
	b.running.Wait()
	b.starter.end()
	tidy(b.root)
	return nil
}

// Files is a directory that the browser's user can pass: files for uploads live
// below it, in directories that are passable too (mode 0711).
func (b *Chromium) Files() string { return b.root }
