package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// services is what one phase of one visit may ask of the runner. After close it
// refuses everything.
type services struct {
	v      *visit
	phase  core.Phase
	budget *budget

	ctx    context.Context // ends with the phase
	cancel context.CancelCauseFunc
	calls  sync.WaitGroup

	mu        sync.Mutex
	closed    bool
	committed bool
	parkErr   error // the last ask ended with ErrAway
	unkept    error // a ledgerFault of the phase
	shots     int
	lines     int

	mark func() (core.MailMark, error)
}

var _ core.Services = (*services)(nil)

// maxLines is how many lines of a phase's log are kept.
const maxLines = 1000

func newServices(v *visit, p core.Phase, b *budget) *services {
	s := &services{v: v, phase: p, budget: b}
	s.ctx, s.cancel = context.WithCancelCause(b.ctx)
	if v.r.o.Mail != nil && (p == core.Register || p == core.Login) {
		// The mark is read while the page loads: mail that a submit of this phase
		// causes comes after it.
		type marked struct {
			mark core.MailMark
			err  error
		}
		got, entity := make(chan marked, 1), v.record().Entity
		go func() {
			m, err := v.r.o.Mail.Mark(b.ctx, entity)
			got <- marked{m, err}
		}()
		s.mark = sync.OnceValues(func() (core.MailMark, error) { m := <-got; return m.mark, m.err })
	}
	return s
}

// close ends the calls under way, waits for them and refuses later ones.
func (s *services) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel(errPhaseOver)
	s.calls.Wait()
}

var errPhaseOver = errors.New("the phase is over")

// enter begins a call: its context ends with the phase, done ends the call.
func (s *services) enter(ctx context.Context) (_ context.Context, done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, errPhaseOver
	}
	s.calls.Add(1)
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.ctx, func() { cancel(context.Cause(s.ctx)) })
	return ctx, func() { stop(); cancel(nil); s.calls.Done() }, nil
}

// Commit implements core.Services.
func (s *services) Commit(ctx context.Context, name string, facts core.Facts) error {
	ctx, done, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer done()
	v := s.v
	s.mu.Lock()
	again := s.committed
	s.committed = s.phase == core.Register
	s.mu.Unlock()
	switch {
	case s.phase != core.Register:
		return core.ErrNoCommit
	case again || v.record().State != core.Prepared:
		return core.ErrCommitted
	}
	in, err := s.intent(name)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if v.r.o.Egress.Now() >= v.fence() {
		return core.ErrLeaseLost
	}
	if err := v.move(core.Move{To: core.Intended, Phase: core.Register, Facts: own(facts), Intent: &in,
		Driver: v.b.Driver, Digest: v.b.Digest, Event: say("commit " + name)}); err != nil {
		return s.kept(err)
	}
	// A browser resends a request when a connection it used before dies.
	v.slot.gate.DropIdle()
	return nil
}

// intent is what must be durable before anything irreversible happens.
func (s *services) intent(name string) (core.Intent, error) {
	v := s.v
	in := core.Intent{Name: name, Driver: v.b.Driver, Digest: v.b.Digest,
		Username: v.username(), Email: v.email(), Password: v.password()}
	if s.mark == nil {
		return in, nil
	}
	mark, err := s.mark()
	switch {
	case err == nil:
		in.Mark, in.HasMark = mark, true
	case errors.Is(err, core.ErrNoMailbox):
	case v.b.Manifest.Has(core.Confirm):
		return in, &core.Fault{Code: core.Crashed, Phase: s.phase, Verb: "commit",
			Why: "the mailbox can't be read, and this site confirms by mail: " + err.Error()}
	}
	return in, nil
}

// Committed implements core.Services.
func (s *services) Committed(ctx context.Context, name string) error {
	_, done, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer done()
	s.mu.Lock()
	committed := s.committed
	s.mu.Unlock()
	switch {
	case !committed:
		return core.ErrNoCommit
	case s.v.record().State != core.Intended:
		return nil
	}
	return s.kept(s.v.move(core.Move{To: core.Submitted, Phase: core.Confirm, Committed: true, Event: say("the site answered " + name)}))
}

// Mail implements core.Services.
func (s *services) Mail(ctx context.Context, q core.MailQuery) (core.MailMessage, error) {
	ctx, done, err := s.enter(ctx)
	if err != nil {
		return core.MailMessage{}, err
	}
	defer done()
	v := s.v
	if v.r.o.Mail == nil {
		return core.MailMessage{}, &core.Fault{Code: core.DriverError, Phase: s.phase, Verb: "mail.wait",
			Why: core.ErrNoMailbox.Error() + "; add [mail.\"*\"] to the configuration"}
	}
	resume := s.budget.wait()
	defer resume()
	mark, since, err := s.mailMark()
	if err != nil {
		return core.MailMessage{}, &core.Fault{Code: core.Crashed, Phase: s.phase, Verb: "mail.wait", Why: err.Error()}
	}
	within := q.Within
	if within <= 0 {
		within = v.r.o.Limits.MailWithin
	}
	left := within - time.Since(since)
	if left <= 0 {
		// One look is always taken: the mail may have come while nobody looked.
		left = time.Second
	}
	hold, cancel := context.WithTimeout(ctx, min(v.r.o.Limits.MailHold, max(left, time.Second)))
	defer cancel()
	msg, err := v.r.o.Mail.Find(hold, v.record().Entity, mark, v.b.Domain+" "+v.b.Base, q)
	switch {
	case err == nil:
		v.guardLate(msg.Link, msg.Code, msg.Text)
		return msg, nil
	case ctx.Err() != nil:
		return core.MailMessage{}, context.Cause(ctx)
	case errors.Is(err, core.ErrNotYet) && time.Since(since) >= within:
		return core.MailMessage{}, &core.Fault{Code: core.Timeout, Phase: s.phase, Verb: "mail.wait",
			Why: fmt.Sprintf("no such mail within %s", within)}
	case errors.Is(err, core.ErrNotYet):
		return core.MailMessage{}, core.ErrNotYet
	}
	return core.MailMessage{}, &core.Fault{Code: core.Crashed, Phase: s.phase, Verb: "mail.wait", Why: err.Error()}
}

// mailMark is the position after which mail counts, and since when it is awaited.
func (s *services) mailMark() (core.MailMark, time.Time, error) {
	rec := s.v.record()
	if s.phase == core.Login && s.mark != nil {
		m, err := s.mark()
		return m, time.Now(), err
	}
	if in := rec.Intent; in != nil && in.HasMark {
		return in.Mark, in.At, nil
	}
	return core.MailMark{}, time.Time{}, errors.New("no mark was taken before the submit: the mailbox was not configured then")
}

// guardLate registers secrets that came up inside a phase.
func (v *visit) guardLate(values ...core.Value) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.guard(values...)
}

// TOTP implements core.Services.
func (s *services) TOTP(ctx context.Context) (core.Value, error) {
	_, done, err := s.enter(ctx)
	if err != nil {
		return core.Value{}, err
	}
	defer done()
	secret := s.v.record().Facts[factTOTP]
	if a := s.v.record().Account; secret.Empty() && a != nil {
		secret = a.TOTP
	}
	if secret.Empty() {
		return core.Value{}, core.ErrNoTOTP
	}
	code, err := totpCode(secret.Reveal(), time.Now())
	if err != nil {
		return core.Value{}, &core.Fault{Code: core.DriverError, Phase: s.phase, Verb: "totp.code", Why: err.Error()}
	}
	v := core.Secret(code)
	s.v.guardLate(v)
	return v, nil
}

// EnrolTOTP implements core.Services.
func (s *services) EnrolTOTP(ctx context.Context, secret core.Value) error {
	_, done, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer done()
	secret = core.Secret(secret.Reveal())
	if _, err := totpCode(secret.Reveal(), time.Now()); err != nil {
		return &core.Fault{Code: core.DriverError, Phase: s.phase, Verb: "totp.enrol", Why: err.Error()}
	}
	s.v.guardLate(secret)
	return s.kept(s.v.note(core.Facts{factTOTP: secret}))
}

// Asset implements core.Services.
func (s *services) Asset(ctx context.Context, name string, fit core.Fit) (string, error) {
	ctx, done, err := s.enter(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	v := s.v
	rec := v.record()
	var urls []string
	switch name {
	case "avatar":
		urls = rec.Entity.Avatars
	case "cover":
		urls = rec.Entity.Covers
	default:
		return "", &core.Fault{Code: core.DriverError, Phase: s.phase, Verb: "upload", Why: "there is no asset " + strconv.Quote(name) + "; known are avatar and cover"}
	}
	if len(urls) == 0 {
		return "", core.ErrNoAsset
	}
	dir, err := v.uploads()
	if err != nil {
		return "", err
	}
	path, err := v.r.o.Assets.Fetch(ctx, urls, fit, dir)
	if err != nil {
		return "", err
	}
	if s.plain() {
		return path, nil // who needs the bytes reads them with ReadAsset
	}
	return path, v.bc.Own(path)
}

// plain reports whether the phase has no browser.
func (s *services) plain() bool { return s.v.plain(s.phase) }

// Log implements core.Services.
func (s *services) Log(ctx context.Context, level slog.Level, msg string, args ...any) {
	_, done, err := s.enter(ctx)
	if err != nil {
		return
	}
	defer done()
	s.mu.Lock()
	s.lines++
	skip := s.lines > maxLines
	s.mu.Unlock()
	if skip {
		return
	}
	v := s.v
	if level < slog.LevelInfo && !v.log.Enabled(ctx, level) {
		return
	}
	rec := slog.NewRecord(time.Now(), level, msg, 0)
	rec.Add(args...)
	ev := core.Event{Kind: "log", Phase: s.phase, Level: level.String(), Text: v.r.line(msg), Attrs: map[string]string{}}
	rec.Attrs(func(a slog.Attr) bool {
		ev.Attrs[a.Key] = v.r.text(a.Value.String(), 1000)
		return len(ev.Attrs) < 20
	})
	v.log.Log(v.ctx, level, ev.Text, "phase", string(s.phase), "attrs", ev.Attrs)
	if level < slog.LevelInfo {
		return
	}
	if level < slog.LevelWarn {
		v.learn(nil, ev) // kept with the next step
		return
	}
	if err := v.note(nil, ev); err != nil && !errors.Is(err, core.ErrLeaseLost) {
		v.log.Warn("a line of the time line was not kept", "err", err)
	}
}
