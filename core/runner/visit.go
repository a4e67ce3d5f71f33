package runner

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

// visit is one claim of one task: from the lease to its end.
type visit struct {
	r      *Runner
	slot   *slot
	permit permit
	ctx    context.Context // ends when the lease is lost or the runner stops
	hard   context.Context // ends when the runner stops at once
	cancel context.CancelCauseFunc
	log    *slog.Logger
	since  time.Duration // Egress.Now when the visit began
	era    int           // of the runner's registration then
	id     string
	domain string

	write    sync.Mutex // one ledger write of the visit at a time
	mu       sync.Mutex // guards rec, deadline, waive, person and files against the heartbeat and the driver's calls
	rec      core.Record
	deadline time.Duration
	waive    chan struct{} // closed when a held visit must park at once
	learnt   learnt
	person   bool // somebody was asked

	b        core.Binding
	open     bool                // a session with the site is
	engine   string              // of the phase under way, or of the last one of the session
	bc       core.BrowserContext // nil while no browser context is open
	served   int                 // tasks that bc has served before this one
	done     bool                // the task ended plainly: everything was done
	cookies  []core.Cookie       // of a session without a browser; guarded by mu
	signedIn bool                // in the open session
	cut      int                 // length that about was cut to, 0 when it was not
	ended    bool                // the lease was given back
	fresh    bool                // this visit made the intent to start durable
	booked   *core.Booking       // by this visit, when the task was started
	asked    bool                // the phase under way has asked a person, who did not come in time
	release  []func()            // of the redactor
	files    string              // the directory of fitted images, removed at the end of the visit
}

func (r *Runner) newVisit(hard context.Context, s *slot, rec core.Record, fence time.Duration) *visit {
	ctx, cancel := context.WithCancelCause(hard)
	v := &visit{
		r: r, slot: s, ctx: ctx, hard: hard, cancel: cancel, rec: rec, deadline: fence,
		since: r.o.Egress.Now(), waive: make(chan struct{}), id: rec.ID, domain: rec.Domain,
		log: r.o.Log.With("task", rec.ID, "domain", rec.Domain, "slot", s.name),
	}
	v.guard(rec.Entity.Secrets()...)
	for _, f := range rec.Facts {
		v.guard(f)
	}
	if a := rec.Account; a != nil {
		v.guard(a.Password, a.TOTP)
	}
	s.gate.Until(fence)
	r.mu.Lock()
	v.era, r.visits[rec.ID] = r.era, v
	r.tally.Tasks[rec.ID] = rec.State
	r.mu.Unlock()
	return v
}

// guard registers secrets with the redactor for the visit's time.
func (v *visit) guard(values ...core.Value) {
	for _, s := range values {
		if s.IsSecret() && !s.Empty() {
			v.release = append(v.release, v.r.o.Redact.Add(s))
		}
	}
}

func (v *visit) epoch() int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.rec.Lease.Epoch
}

func (v *visit) fence() time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.deadline
}

// extend moves the fence, never back.
func (v *visit) extend(to time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if to > v.deadline {
		v.deadline = to
		v.slot.gate.Until(to)
	}
}

func (v *visit) unhold() {
	v.mu.Lock()
	defer v.mu.Unlock()
	select {
	case <-v.waive:
	default:
		close(v.waive)
	}
}

func (v *visit) record() core.Record {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.rec
}

// run moves the task until it needs the slot no more. Whatever breaks in here
// costs this task an attempt at most.
func (v *visit) run() {
	defer v.cancel(nil)
	defer v.leavePage()
	defer v.tidy()
	if k := v.slot.kept; k != nil && k.fits.domain != v.domain {
		v.dropKept()
	}
	for !v.ended {
		err := v.step()
		if err == nil {
			continue
		}
		v.fell(err)
		return
	}
}

func (v *visit) tidy() {
	for _, release := range v.release {
		release()
	}
	if v.files != "" {
		if err := os.RemoveAll(v.files); err != nil {
			v.log.Warn("the task's fitted images were not removed", "err", err)
		}
	}
}

// fell handles a visit that can't go on: its lease ends as the error asks for.
func (v *visit) fell(err error) {
	v.slot.gate.Shut()
	switch {
	case errors.Is(err, core.ErrLeaseLost) || errors.Is(context.Cause(v.ctx), core.ErrLeaseLost):
		v.log.Warn("the task is another runner's now; dropped here")
		v.r.notice(Notice{Task: v.id, Domain: v.domain, Text: "another runner has the task now"})
	case errors.Is(context.Cause(v.ctx), errStopping):
		v.later(time.Now(), false, "the runner stopped; the task goes on at its last step")
	default:
		v.log.Error("the visit ended", "err", v.r.line(err.Error()))
		v.later(time.Now().Add(v.r.o.Limits.BackoffMin), !isLedgerFault(err), err.Error())
	}
}

// step does what the task's state asks for, and ends with the task in another
// state or the lease given back.
func (v *visit) step() error {
	if cause := context.Cause(v.ctx); cause != nil {
		return cause
	}
	switch v.rec.State {
	case core.Ready:
		return v.begin()
	case core.Starting:
		return v.start()
	case core.Prepared:
		return v.prepared()
	case core.Intended:
		return v.move(core.Move{To: core.Unknown, Phase: v.rec.Phase, Event: say("the submit has no known outcome; probing")})
	case core.Submitted:
		return v.submitted()
	case core.Refused:
		return v.refused()
	case core.Confirmed:
		return v.confirmed()
	case core.Profiled, core.Connected:
		return v.complete()
	case core.Failed:
		return v.fail()
	case core.Unknown:
		return v.probe()
	case core.Delayed:
		return v.move(core.Move{To: v.rec.From, Phase: v.rec.Phase, Event: say("due again")})
	case core.Held:
		if !v.rec.Facts[factHandover].Empty() {
			return v.abandoned()
		}
		return v.move(core.Move{To: core.Parked, Phase: v.rec.Phase, Event: say("the page is gone; parked")})
	case core.Parked:
		return v.unpark()
	}
	return fmt.Errorf("a task in state %s was claimed", v.rec.State)
}

// unpark goes on after a person's answer, or ends what nobody answered.
func (v *visit) unpark() error {
	if !v.rec.AskExpired {
		return v.move(core.Move{To: v.rec.From, Phase: v.rec.Phase, Event: say("nobody is asked any more; the phase is entered again")})
	}
	if in := v.rec.Intent; in != nil && in.State == core.IntentOpen {
		return v.move(core.Move{To: core.Unknown, Event: say("nobody answered in time; the account may exist")})
	}
	return v.move(core.Move{To: core.Failed, FreeIdentities: v.rec.Account == nil, Event: say("nobody answered in time")})
}

// move advances the task, along several edges together where it is given several
// moves, and keeps the record that comes back. A report is delivered right away
// where there is room for one more.
func (v *visit) move(moves ...core.Move) error {
	for i := range moves {
		m := &moves[i]
		if m.Event.Kind == "" {
			m.Event.Kind = "state"
		}
		m.Event.Text = v.r.line(m.Event.Text)
		m.Event.Phase = m.Phase
		m.Fault = v.r.line(m.Fault)
	}
	first, last := &moves[0], &moves[len(moves)-1]
	if last.To.Releases() {
		v.slot.gate.Shut() // before anyone else may have the task
	}
	if last.To == core.Reporting && v.r.pausing.left() == 0 && v.r.reports.reserve() {
		last.Deliver = v.r.deliverLease()
	}
	// A move that follows an effect must be written although the phase's own
	// context has ended; the lease decides whether it may.
	ctx, cancel := v.ledger()
	defer cancel()
	v.write.Lock()
	defer v.write.Unlock()
	l := v.takeLearnt()
	facts, events := first.Facts, first.Events
	first.Facts, first.Events = l.under(facts), append(l.events, events...)
	rec, err := v.r.o.Store.Advance(ctx, v.record().Lease, moves...)
	item := rec.Delivery
	rec.Delivery = nil
	if last.Deliver > 0 {
		defer func() { // once it has been told
			if item != nil {
				v.r.hand(*item)
			} else {
				v.r.reports.give()
			}
		}()
	}
	if err != nil {
		v.giveLearnt(l)
		first.Facts, first.Events = facts, events
		return ofLedger(fmt.Errorf("move the task to %s: %w", last.To, err))
	}
	v.mu.Lock()
	v.rec = rec
	v.mu.Unlock()
	for _, m := range moves {
		v.tell(m)
	}
	if last.To.Releases() {
		v.ended = true
	}
	return nil
}

// tell says that the task was moved.
func (v *visit) tell(m core.Move) {
	v.log.Info("state", "state", string(m.To), "phase", string(m.Phase), "reason", m.Event.Text)
	v.r.notice(Notice{Task: v.id, Domain: v.domain, State: m.To, Text: m.Event.Text, Slot: v.slot.name})
}

// later gives the lease back without a move.
func (v *visit) later(due time.Time, broken bool, why string) {
	if err := v.keepLearnt(); err != nil && !errors.Is(err, core.ErrLeaseLost) {
		v.log.Warn("what the last phase learnt was not stored", "err", err)
	}
	ctx, cancel := v.ledger()
	defer cancel()
	level := "INFO"
	if broken {
		level = "WARN"
	}
	ev := core.Event{Kind: "log", Level: level, Text: v.r.line(why)}
	lease := v.record().Lease
	if err := v.r.o.Store.Defer(ctx, lease, due, broken, ev); err != nil && !errors.Is(err, core.ErrLeaseLost) {
		v.log.Warn("the task was not given back; that is tried again at the next heartbeat", "err", err)
		v.r.mu.Lock()
		v.r.adrift[v.id] = adrift{lease, due, broken, ev}
		v.r.mu.Unlock()
	}
	v.ended = true
}

// note adds facts or events without a move.
func (v *visit) note(facts core.Facts, ev ...core.Event) error {
	ctx, cancel := v.ledger()
	defer cancel()
	for i := range ev {
		ev[i].Text = v.r.line(ev[i].Text)
	}
	v.write.Lock()
	defer v.write.Unlock()
	l := v.takeLearnt()
	if err := v.r.o.Store.Note(ctx, v.record().Lease, l.under(facts), append(l.events, ev...)...); err != nil {
		v.giveLearnt(l)
		return ofLedger(fmt.Errorf("record what was learnt: %w", err))
	}
	v.mu.Lock()
	v.rec.Facts = v.rec.Facts.Merge(facts)
	v.mu.Unlock()
	return nil
}

// ledger is the context of a ledger write: bounded, and not ended by what ended
// the visit.
func (v *visit) ledger() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(v.ctx), v.r.o.Limits.Lease)
}

// bind looks the driver up again: it may have changed since the task was listed.
func (v *visit) bind() error {
	b, err := v.r.o.Catalog.Lookup(v.rec.Domain)
	if err != nil {
		return err
	}
	if in := v.rec.Intent; in != nil && in.State == core.IntentOpen && in.Driver == b.Driver && in.Digest != b.Digest {
		// What was begun is ended by the version that began it, where that is still known.
		b, _ = v.r.o.Catalog.Version(b, in.Digest)
	}
	v.b = b
	return nil
}

// saw tells the ledger what ended this visit to the site; the empty cause is a success.
func (v *visit) saw(cause string) {
	ctx, cancel := v.ledger()
	defer cancel()
	l := v.r.o.Limits
	until, err := v.r.o.Store.SiteSaw(ctx, v.rec.Domain, cause, l.PauseAfter, l.PauseFor)
	if err != nil {
		v.log.Warn("the site's series was not counted", "err", err)
	}
	if cause != "" && !until.IsZero() {
		v.log.Error("the site is paused: the same thing ended several visits in a row", "cause", cause, "until", until.UTC().Format(time.RFC3339))
		v.r.notice(Notice{Domain: v.rec.Domain, Text: "paused until " + until.UTC().Format(time.RFC3339) + ": " + cause})
	}
}

func say(text string) core.Event { return core.Event{Text: text} }
