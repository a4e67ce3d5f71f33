package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/runner"
	"github.com/rollcall-run/rollcall/core/secret"
)

// stepper prints what happens in a task run, and ends it where it was told to.
type stepper struct {
	out     io.Writer
	in      *lines
	quiet   bool
	headful bool
	redact  func(string) string
	until   string
	begin   time.Time
	stop    func() // ends the runner at once

	mu      sync.Mutex
	stopped string
}

func (s *stepper) line(head, format string, args ...any) {
	if s.quiet {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	text := secret.Clean(s.redact(fmt.Sprintf(format, args...)))
	fmt.Fprintf(s.out, "%6.1fs  %-9s %s\n", time.Since(s.begin).Seconds(), head, text)
}

func (s *stepper) observe(n runner.Notice) {
	switch {
	case n.State != "":
		s.line("state", "%s", strings.TrimSuffix(string(n.State)+": "+n.Text, ": "))
	case n.Text != "":
		s.line("", "%s", n.Text)
	}
}

func (s *stepper) stoppedAt() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

// halt ends the phase at a place where --until stops; false elsewhere.
func (s *stepper) halt(at string, end context.CancelCauseFunc) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.until != at || s.stopped != "" {
		return s.stopped != ""
	}
	s.stopped = at
	end(errStopped)
	return true
}

var errStopped = errors.New("stopped where --until says")

// hold keeps the page open for a person to look at, then ends the run.
func (s *stepper) hold(ctx context.Context) {
	if s.headful {
		s.line("", "stopped at --until %s; the page stays open until you press Enter", s.stoppedAt())
		_, _ = s.in.next(ctx) // no more input ends it too
	}
	s.stop()
	<-ctx.Done()
}

// steppedWorkers are workers whose phases are shown.
type steppedWorkers struct {
	core.Workers
	s *stepper
}

func (w steppedWorkers) Slot(name string) core.Worker {
	return steppedWorker{w.Workers.Slot(name), w.s}
}

type steppedWorker struct {
	core.Worker
	s *stepper
}

// Run implements core.Worker.
func (w steppedWorker) Run(ctx context.Context, b core.Binding, p core.Phase, t core.Task, session core.Session) (core.Outcome, error) {
	s := w.s
	s.line("phase", "%s", p)
	inner, end := context.WithCancelCause(ctx)
	defer end(nil)
	var answered atomic.Bool
	session.Services = steppedServices{session.Services, s, p, end, &answered}
	o, err := w.Worker.Run(inner, b, p, t, session)
	if s.stoppedAt() != "" {
		s.hold(ctx)
		return o, context.Cause(ctx)
	}
	switch {
	case err != nil:
		s.line("broken", "%s: %v", p, err)
		if f := core.AsFault(err, core.Crashed); f.Detail != "" {
			for line := range strings.Lines(f.Detail) {
				s.line("", "%s", strings.TrimRight(line, "\n"))
			}
		}
	case o.Code != "":
		s.line("answer", "%s: %s %s: %s", p, o.Status, o.Code, o.Reason)
	default:
		s.line("answer", "%s: %s", p, o.Status)
	}
	// A refusal is left to the runner, which settles it without the site.
	if p == core.Register && answered.Load() && (err != nil || o.Status == core.Done) && s.halt(stopCommit, end) {
		s.hold(ctx)
		return o, context.Cause(ctx)
	}
	return o, err
}

// steppedServices shows what a phase asks of the runner.
type steppedServices struct {
	core.Services
	s     *stepper
	phase core.Phase
	end   context.CancelCauseFunc
	// answered is set when the site answered the commit.
	answered *atomic.Bool
}

// Log implements core.Services: a script's verbs come one by one at debug level,
// and once more together, for the time line.
func (v steppedServices) Log(ctx context.Context, level slog.Level, msg string, args ...any) {
	rec := slog.NewRecord(time.Now(), level, msg, 0)
	rec.Add(args...)
	at := map[string]string{}
	rec.Attrs(func(a slog.Attr) bool { at[a.Key] = a.Value.String(); return true })
	verb := at["verb"]
	switch {
	case v.s.stoppedAt() != "":
		return // what the end of the phase broke is of no interest
	case verb != "":
		v.s.line("", "%s", msg)
	case at["error"] != "":
		v.s.line("failed", "%s: %s", msg, at["error"])
	case level >= slog.LevelInfo && msg != string(v.phase)+" did":
		v.s.line("log", "%s", msg)
	}
	v.Services.Log(ctx, level, msg, args...)
	if verb == "open" && v.phase == core.Register && v.s.until == stopOpen && v.s.stoppedAt() == "" {
		v.picture(ctx, stopOpen)
		v.s.halt(stopOpen, v.end)
	}
}

// Commit implements core.Services. Nothing is committed at or after a stop.
func (v steppedServices) Commit(ctx context.Context, name string, facts core.Facts) error {
	if v.s.until == stopFill && v.phase == core.Register {
		v.picture(ctx, stopFill)
	}
	if v.s.halt(stopFill, v.end) {
		return errStopped
	}
	return v.Services.Commit(ctx, name, facts)
}

// Committed implements core.Services.
func (v steppedServices) Committed(ctx context.Context, name string) error {
	err := v.Services.Committed(ctx, name)
	if err == nil {
		v.answered.Store(true)
	}
	return err
}

func (v steppedServices) picture(ctx context.Context, label string) {
	if err := v.Services.Shot(ctx, label); err != nil {
		v.s.line("", "no picture was kept: %v", err)
	}
}

// Human implements core.Services: whoever started the run is asked. Without a
// window nobody can act on the page, and without input nobody can answer.
func (v steppedServices) Human(ctx context.Context, ask core.Ask) (core.Answer, error) {
	s := v.s
	switch {
	case s.quiet:
		return core.Answer{}, core.ErrAway
	case ask.Kind == core.AskAgree:
		s.line("person", "%s: %s; to accept them, type yes and press Enter", ask.Code, strings.TrimSpace(ask.Say+" "+ask.URL))
	case ask.Kind == core.AskAnswer:
		s.line("person", "%s: %s; type the answer and press Enter", ask.Code, ask.Say)
	case !s.headful:
		s.line("person", "%s: %s; start with --headful to act on the page", ask.Code, ask.Say)
		return core.Answer{}, core.ErrAway
	default:
		s.line("person", "%s: %s; act in the window, then press Enter here", ask.Code, strings.TrimSpace(ask.Say+" "+ask.URL))
	}
	text, err := s.in.next(ctx)
	switch {
	case ctx.Err() != nil:
		return core.Answer{}, context.Cause(ctx)
	case err != nil:
		return core.Answer{}, core.ErrAway
	}
	if ask.Kind == core.AskAgree && strings.TrimSpace(text) != "yes" {
		return core.Answer{}, core.ErrAway
	}
	return core.Answer{Text: core.Secret(text), By: "terminal"}, nil
}

// lines reads a person's input without holding up what does not wait for it.
type lines struct {
	in   io.Reader
	once sync.Once
	ch   chan string
	end  chan struct{}
	stop sync.Once
}

func newLines(in io.Reader) *lines {
	return &lines{in: in, ch: make(chan string), end: make(chan struct{})}
}

func (l *lines) next(ctx context.Context) (string, error) {
	l.once.Do(func() {
		go func() {
			defer close(l.ch)
			scan := bufio.NewScanner(l.in)
			for scan.Scan() {
				select {
				case l.ch <- strings.TrimRight(scan.Text(), "\r"):
				case <-l.end:
					return
				}
			}
		}()
	})
	select {
	case text, ok := <-l.ch:
		if !ok {
			return "", io.EOF
		}
		return text, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// close lets the reader end with the next line.
func (l *lines) close() { l.stop.Do(func() { close(l.end) }) }
