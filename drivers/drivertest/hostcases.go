package drivertest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// hostCases hold for every host; its driver is the actor.
var hostCases = []oneCase{
	{"each status and code comes intact", everyAnswer},
	{"facts come back and enter again", factsReenter},
	{"a failure names its phase, verb and locator", failureNamesItsPlace},
	{"a panic is an error, and the next run is fine", panicThenFine},
	{"a death in the middle of a run is an error, and the next run is fine", deathThenFine},
	{"a cancel while it waits for a sign", cancelMidAwait},
	{"a deadline while it waits for a sign", deadlineMidAwait},
	{"a cancel while it waits for a person", cancelMidAsk},
	{"another host is refused, and named", otherHost},
	{"two signs at once are an error", twoSigns},
	{"commit opens once", commitOnce},
	{"secrets are typed and not said", secretsSilent},
	{"eight slots keep apart", slotsApart},
}

const page = `<!doctype html><meta charset=utf-8><h1>Actor</h1><b class=x id=twice>1</b><b class=x id=twice>2</b>
<button id=show onclick="one.hidden = other.hidden = false">Show</button><p id=one hidden>1</p><p id=other hidden>2</p>
<a id=away href="%s">away</a><form method=post action=/><input id=pass name=pass type=password><button id=send>Send</button></form>`

// stageFor serves the actor's page, and its answer to the form.
func (c *check) stageFor(slot int) *stage {
	return c.stage(slot, c.actorPage("http://127.0.0.2:9/"))
}

func (c *check) actorPage(away string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			fmt.Fprintf(w, "<h1>Sent</h1><p id=sent>sent</p><p id=said>wrong password: %s</p><button id=send>Again</button>", r.PostFormValue("pass"))
			return
		}
		fmt.Fprintf(w, page, away)
	}
}

func does(what string) map[string]any { return map[string]any{"do": what} }

// fine runs the actor once more.
func (c *check) fine(slot int) {
	s := c.stageFor(slot)
	if s == nil {
		return
	}
	if o, err := c.run(c.ctx, s, core.Login, c.task(nil), limit); err != nil || o.Status != core.Done {
		c.errorf("the next run: %+v %v", o, err)
	}
}

// faultOf runs the actor and returns the fault it must end with.
func (c *check) faultOf(ctx context.Context, s *stage, phase core.Phase, task core.Task, within time.Duration, code core.FaultCode) *core.Fault {
	o, err := c.run(ctx, s, phase, task, within)
	var f *core.Fault
	if !errors.As(err, &f) {
		c.errorf("%v: %+v %v, not a fault", task.Options["do"], o, err)
		return nil
	}
	if code != "" && f.Code != code {
		c.errorf("%v: the fault has the code %s, not %s: %v", task.Options["do"], f.Code, code, f)
	}
	if f.Phase != phase {
		c.errorf("%v: the fault is of the phase %q, not %s", task.Options["do"], f.Phase, phase)
	}
	return f
}

func everyAnswer(c *check) {
	s := c.stageFor(0)
	if s == nil {
		return
	}
	for status, codes := range core.Codes {
		phase := core.Register
		if status == core.Absent {
			phase = core.Verify // the one phase that may say so
		}
		if len(codes) == 0 {
			codes = []core.Code{""}
		}
		for _, code := range codes {
			task := c.task(map[string]any{"do": "answer", "status": string(status), "code": string(code)})
			o, err := c.run(c.ctx, s, phase, task, limit)
			want := core.Outcome{Status: status, Code: code, Reason: "as told"}
			if status == core.Waiting {
				want.After = 90 * time.Second
			}
			if status == core.Done {
				o.Reason = "as told" // a success has nothing to explain
			}
			o.Facts, o.Fields = nil, nil
			if err != nil || !reflect.DeepEqual(o, want) {
				c.errorf("%s %s came as %+v, %v", status, code, o, err)
			}
		}
	}
}

func factsReenter(c *check) {
	s := c.stageFor(0)
	if s == nil {
		return
	}
	task := c.task(does("facts"))
	for _, want := range []string{"seen ", "seen given"} {
		o, err := c.run(c.ctx, s, core.Login, task, limit)
		if err != nil || o.Facts["seen"].Reveal() != want {
			c.errorf("%v %v, not %q", o.Facts, err, want)
		}
		task.Facts = task.Facts.Merge(o.Facts)
	}
}

func failureNamesItsPlace(c *check) {
	s := c.stageFor(0)
	if s == nil {
		return
	}
	f := c.faultOf(c.ctx, s, core.Login, c.task(does("missing")), limit, core.LayoutChanged)
	if f == nil {
		return
	}
	if f.Verb != "click" || f.Locator != "css=#twice" || !strings.HasPrefix(f.URL, s.session.Base) || f.Why == "" {
		c.errorf("the fault does not name its place: %+v", f)
	}
	o, err := c.run(c.ctx, s, core.Login, c.task(does("where")), limit)
	if err != nil {
		c.errorf("where: %v", err)
		return
	}
	// A script's place is its file and line, a program's is its verb alone.
	if file := o.Facts["file"].Reveal(); file == "" && f.Place != "" || file != "" && !regexp.MustCompile(`^`+regexp.QuoteMeta(file)+`:[1-9][0-9]*$`).MatchString(f.Place) {
		c.errorf("the place of the fault is %q, the driver's file %q", f.Place, file)
	}
}

func panicThenFine(c *check) {
	s := c.stageFor(0)
	if s == nil {
		return
	}
	f := c.faultOf(c.ctx, s, core.Login, c.task(does("panic")), limit, "")
	if f != nil && (f.Code != core.Crashed && f.Code != core.DriverError || !strings.Contains(f.Why, "the wizard fell over")) {
		c.errorf("the fault does not say what the driver died of: %+v", f)
	}
	c.fine(0)
}

func deathThenFine(c *check) {
	s := c.stageIn(0, c.actorPage("/"), core.ContextOptions{Own: true})
	if s == nil {
		return
	}
	go func() {
		<-s.opened
		c.driver.(Host).Kill(0, s.end)
	}()
	c.faultOf(c.ctx, s, core.Login, c.task(does("await")), limit, core.Crashed)
	c.fine(0)
}

func cancelMidAwait(c *check) {
	s := c.stageFor(0)
	if s == nil {
		return
	}
	ctx, cancel := context.WithCancel(c.ctx)
	go func() {
		<-s.opened
		cancel()
	}()
	begin := time.Now()
	c.faultOf(ctx, s, core.Login, c.task(does("await")), limit, core.Cancelled)
	if took := time.Since(begin); took > limit/2 {
		c.errorf("it took %v", took)
	}
	c.fine(0)
}

func deadlineMidAwait(c *check) {
	s := c.stageFor(0)
	if s == nil {
		return
	}
	if f := c.faultOf(c.ctx, s, core.Login, c.task(does("await")), 4*time.Second, core.Timeout); f != nil && f.Verb != "await" {
		c.errorf("the fault does not name what was waited for: %+v", f)
	}
	c.fine(0)
}

func cancelMidAsk(c *check) {
	s := c.stageFor(0)
	if s == nil {
		return
	}
	ctx, cancel := context.WithCancel(c.ctx)
	ended := make(chan struct{})
	s.human = func(ask context.Context) (core.Answer, error) {
		cancel()
		<-ask.Done() // the service's call must end with the task
		close(ended)
		return core.Answer{}, ask.Err()
	}
	c.faultOf(ctx, s, core.Login, c.task(does("ask")), limit, core.Cancelled)
	select {
	case <-ended:
	case <-time.After(slack):
		c.errorf("the question to the person outlives the task")
	}
	c.fine(0)
}

func otherHost(c *check) {
	to, reached := c.elsewhere()
	s := c.stageFor(0)
	if s == nil {
		return
	}
	if f := c.faultOf(c.ctx, s, core.Login, c.task(map[string]any{"do": "go", "to": to + "/x"}), limit, core.HostRefused); f != nil && !strings.Contains(f.Error(), "127.0.0.2") {
		c.errorf("the fault does not name the host: %v", f)
	}
	if s = c.stage(0, c.actorPage(to+"/x")); s == nil {
		return
	}
	c.faultOf(c.ctx, s, core.Login, c.task(does("follow")), limit, "")
	if n := reached(); n > 0 {
		c.errorf("%d requests reached another host", n)
	}
}

func twoSigns(c *check) {
	s := c.stageFor(0)
	if s == nil {
		return
	}
	if f := c.faultOf(c.ctx, s, core.Login, c.task(does("two")), limit, core.LayoutChanged); f != nil && (!strings.Contains(f.Why, "one (") || !strings.Contains(f.Why, "other (")) {
		c.errorf("the fault does not name both: %v", f)
	}
}

func commitOnce(c *check) {
	s := c.stageFor(0)
	if s == nil {
		return
	}
	if o, err := c.run(c.ctx, s, core.Login, c.task(does("commit")), limit); err == nil || s.committed() != 0 || len(s.forms()) != 0 {
		c.errorf("login commits: %+v %v, %d commits, sent %q", o, err, s.committed(), s.forms())
	}
	if o, err := c.run(c.ctx, s, core.Register, c.task(does("commit")), limit); err != nil || o.Status != core.Done || s.committed() != 1 || len(s.forms()) != 1 {
		c.errorf("register: %+v %v, %d commits, sent %q", o, err, s.committed(), s.forms())
	}
	if s = c.stageFor(0); s == nil {
		return
	}
	_, err := c.run(c.ctx, s, core.Register, c.task(does("commit twice")), limit)
	if !errors.Is(err, core.ErrCommitted) || s.committed() != 1 || len(s.forms()) != 1 {
		c.errorf("a second commit: %v, %d commits, sent %q", err, s.committed(), s.forms())
	}
	// What the runner refuses is not sent.
	if s = c.stageFor(0); s == nil {
		return
	}
	s.commits = 1
	_, err = c.run(c.ctx, s, core.Register, c.task(does("commit")), limit)
	if !errors.Is(err, core.ErrCommitted) || len(s.forms()) != 0 {
		c.errorf("a refused commit: %v, sent %q", err, s.forms())
	}
}

func secretsSilent(c *check) {
	s := c.stageFor(0)
	if s == nil {
		return
	}
	o, err := c.run(c.ctx, s, core.Login, c.task(does("secret")), limit) // run looks for the password
	if err != nil || o.Code != core.BadCredentials || !strings.Contains(o.Reason, "wrong password") {
		c.errorf("%+v %v", o, err)
	}
	if want := []string{"pass=" + canary}; !slices.Equal(s.forms(), want) {
		c.errorf("the site got %q", s.forms())
	}
}

func slotsApart(c *check) {
	var wg sync.WaitGroup
	for i := range Slots {
		s := c.stage(i, func(w http.ResponseWriter, r *http.Request) {
			if i == 5 && r.Method == http.MethodPost {
				http.Error(w, "no", http.StatusServiceUnavailable)
				return
			}
			c.actorPage("/")(w, r)
		})
		if s == nil {
			return
		}
		wg.Go(func() {
			for n := range 2 {
				task, want := c.task(does("secret")), core.BadCredentials
				if i == 3 && n == 0 {
					if f := c.faultOf(c.ctx, s, core.Login, c.task(does("panic")), limit, ""); f == nil {
						return
					}
					continue
				}
				if i == 5 {
					want = core.SiteDown
				}
				if o, err := c.run(c.ctx, s, core.Login, task, limit); err != nil || o.Code != want {
					c.errorf("slot %d: %+v %v", i, o, err)
				}
			}
		})
	}
	wg.Wait()
}
