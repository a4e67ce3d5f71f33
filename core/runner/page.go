package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// openPage readies what a phase works in behind the slot's egress port: fresh, or
// as the phase before left it. A browser context is opened for the engine that
// needs one; the visit's cookies go along from engine to engine.
func (v *visit) openPage(ctx context.Context, p core.Phase) error {
	if !v.open {
		v.slot.gate.Admit(core.EgressRules{Domain: v.b.Domain, Base: v.b.Base, Private: v.b.BaseFixed, Hosts: v.b.Hosts})
		v.slot.gate.Until(v.fence())
		v.open, v.signedIn, v.engine = true, false, ""
		v.setCookies(nil)
	}
	engine := core.EngineBrowser
	if v.plain(p) {
		engine = core.EngineHTTP
	}
	if engine == core.EngineBrowser && v.bc == nil {
		if err := v.openContext(ctx); err != nil {
			return err
		}
	}
	if v.engine != "" && v.engine != engine {
		if err := v.moveCookies(ctx, engine); err != nil {
			return &core.Fault{Code: core.Crashed, Why: "the cookies did not go along from one engine to the other: " + err.Error()}
		}
	}
	v.engine = engine
	return nil
}

// plain reports whether a phase runs without a browser. A driver that is a program
// of its own always has one.
func (v *visit) plain(p core.Phase) bool {
	return !v.b.Native && v.b.Manifest.EngineOf(p) == core.EngineHTTP
}

// moveCookies takes the visit's cookies to the other engine.
func (v *visit) moveCookies(ctx context.Context, to string) error {
	k, ok := v.bc.(core.CookieKeeper)
	if !ok {
		return errors.New("the browser does not give them")
	}
	if to == core.EngineBrowser {
		return k.KeepCookies(ctx, v.getCookies())
	}
	all, err := k.Cookies(ctx)
	v.setCookies(all)
	return err
}

func (v *visit) setCookies(all []core.Cookie) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.cookies = all
}

func (v *visit) getCookies() []core.Cookie {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.cookies)
}

func (v *visit) openContext(ctx context.Context) error {
	if v.takeKept() {
		return nil
	}
	o := core.ContextOptions{Language: v.b.Language, Own: v.b.Native}
	for _, p := range v.b.Manifest.Permissions {
		o.Downloads = o.Downloads || p == core.PermitDownloads
	}
	bc, err := v.r.o.Browsers.Context(ctx, v.slot.gate.URL(), o)
	if err != nil {
		return &core.Fault{Code: core.Crashed, Why: "no browser context: " + err.Error()}
	}
	v.bc, v.served = bc, 0
	return nil
}

// dropPage ends the visit's page and everything that still flows to the site.
func (v *visit) dropPage() {
	if !v.open {
		return
	}
	v.slot.gate.Shut()
	if v.bc != nil {
		v.closeContext(v.bc)
	}
	v.bc, v.open, v.signedIn = nil, false, false
	v.setCookies(nil)
}

// phase runs one phase of the driver. What comes back is the site's answer, or
// the *core.Fault of a broken run.
func (v *visit) phase(p core.Phase) (core.Outcome, error) {
	if err := v.keepPressing(); err != nil {
		return core.Outcome{}, err
	}
	budget := newBudget(v.ctx, v.r.o.Limits.Phase)
	defer budget.end()
	if err := v.openPage(budget.ctx, p); err != nil {
		return core.Outcome{}, err
	}
	s := newServices(v, p, budget)
	session := core.Session{
		Base: v.b.Base, Proxy: v.slot.gate.URL(), Hosts: v.b.Hosts, Services: s,
	}
	if v.engine == core.EngineBrowser {
		session.ControlURL, session.ContextID, session.TargetID = v.bc.ControlURL(), v.bc.ContextID(), v.bc.TargetID()
	}
	task := v.driverTask()
	v.log.Info("phase", "phase", string(p), "driver", v.b.Driver, "attempt", task.Attempt)
	v.r.notice(Notice{Task: v.id, Domain: v.domain, Phase: p, Slot: v.slot.name})
	begin := time.Now()
	o, err := v.slot.worker.Run(budget.ctx, v.b, p, task, session)
	s.close()
	if cause := context.Cause(v.ctx); cause != nil {
		return core.Outcome{}, cause
	}
	if s.unkept != nil {
		return core.Outcome{}, s.unkept
	}
	if err == nil {
		if bad := o.Check(p); bad != nil {
			err = &core.Fault{Code: core.DriverError, Phase: p, Why: bad.Error()}
		}
	}
	if err == nil && s.parkErr != nil && o.Status != core.Blocked {
		err = &core.Fault{Code: core.DriverError, Phase: p, Why: "the phase went on although nobody had answered"}
	}
	ev := core.Event{Kind: "phase", Phase: p, Level: "INFO", Text: string(o.Status), Attrs: map[string]string{
		"took": time.Since(begin).Round(time.Millisecond).String(), "driver": v.b.Driver,
	}}
	if v.b.Reuse && v.bc != nil {
		ev.Attrs["context"] = "fresh"
		if v.served > 0 {
			ev.Attrs["context"] = fmt.Sprintf("used by %d tasks before", v.served)
		}
	}
	if err != nil {
		f := core.AsFault(err, core.Crashed)
		if errors.Is(context.Cause(budget.ctx), errPhaseTime) {
			f.Code, f.Detail = core.Timeout, strings.TrimSpace(f.Why+"\n"+f.Detail)
			f.Why = fmt.Sprintf("the phase took longer than its limit of %s", v.r.o.Limits.Phase)
		}
		f.Phase = p
		if refused := v.slot.gate.Refused(); len(refused) > 0 {
			f.Detail = strings.TrimSpace(f.Detail + "\nhosts that the page asked for and may not reach: " + strings.Join(refused, ", "))
		}
		ev.Level, ev.Text = "WARN", string(p)+": "+f.Error()
		if f.Detail != "" {
			ev.Attrs["detail"] = v.r.text(f.Detail, 4000)
		}
		err = f
	} else if o.Code != "" {
		ev.Text = string(o.Status) + " " + string(o.Code) + ": " + o.Reason
	}
	if refused := v.slot.gate.Refused(); len(refused) > 0 {
		ev.Attrs["refused_hosts"] = v.r.text(strings.Join(refused, "; "), 2000)
	}
	o.Reason = v.r.line(o.Reason)
	v.guardFacts(o.Facts)
	v.learn(own(o.Facts), ev)
	return o, err
}

// own drops the names that are the runner's from what a driver learnt.
func own(f core.Facts) core.Facts {
	out := core.Facts{}
	for k, val := range f {
		if len(k) > 0 && k[:1] != ownFact {
			out[k] = shown(val)
		}
	}
	return out
}

// longestFact bounds a fact, in characters.
const longestFact = 64 << 10

// shown is a value that a site had a part in, without what a terminal takes for a
// command; a secret stays as it is, byte for byte.
func shown(val core.Value) core.Value {
	if val.IsSecret() {
		return val
	}
	return core.Text(printable(val.Reveal(), longestFact))
}

func (v *visit) guardFacts(f core.Facts) {
	for k, val := range f {
		if k == core.FactPassword && !val.IsSecret() {
			val = core.Secret(val.Reveal())
		}
		f[k] = shown(val)
		v.guard(f[k])
	}
}

// pictures is the directory of the task's pictures. It outlives the visit.
func (v *visit) pictures() (string, error) {
	dir := filepath.Join(v.r.picturesDir(), safeName(v.id))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the directory of the task's pictures: %w", err)
	}
	return dir, nil
}

// uploads is the directory of the visit's fitted images, which the browser's user can pass.
func (v *visit) uploads() (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.files == "" {
		dir := filepath.Join(v.r.o.Uploads, "upload-"+safeName(v.id))
		if err := os.MkdirAll(dir, 0o711); err != nil {
			return "", fmt.Errorf("make the directory of the task's images: %w", err)
		}
		v.files = dir
	}
	return v.files, nil
}

// errPhaseTime is why a phase's context ends when its time is used up.
var errPhaseTime = errors.New("the phase took too long")

// budget is a phase's time: it does not run while mail or a person is awaited.
type budget struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	pause  chan int // +1 and -1
	done   chan struct{}
}

func newBudget(parent context.Context, d time.Duration) *budget {
	ctx, cancel := context.WithCancelCause(parent)
	b := &budget{ctx: ctx, cancel: cancel, pause: make(chan int), done: make(chan struct{})}
	go b.count(d)
	return b
}

func (b *budget) count(left time.Duration) {
	defer close(b.done)
	pauses, begin := 0, time.Now()
	timer := time.NewTimer(left)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			b.cancel(errPhaseTime)
			return
		case <-b.ctx.Done():
			return
		case n := <-b.pause:
			if pauses == 0 {
				timer.Stop()
				left -= time.Since(begin)
			}
			if pauses += n; pauses == 0 {
				begin = time.Now()
				timer.Reset(max(left, 0))
			}
		}
	}
}

// wait stops the clock until the returned function is called.
func (b *budget) wait() (resume func()) {
	send := func(n int) {
		select {
		case b.pause <- n:
		case <-b.done:
		}
	}
	send(1)
	return func() { send(-1) }
}

func (b *budget) end() {
	b.cancel(nil)
	<-b.done
}
