package drivertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// driverCases hold for every driver, whatever site it is for.
var driverCases = []oneCase{
	{"the manifest is strict", manifestIsStrict},
	{"the manifest is pure", manifestIsPure},
	{"a phase that it does not have is refused", absentPhases},
	{"a site that is down is no success", siteDown},
	{"a page that it does not know is an error with its place", strangePage},
	{"a deadline ends it", deadline},
	{"a cancel ends it", cancelled},
	{"a site that leads elsewhere is not followed", leadElsewhere},
	{"eight at once", eightAtOnce},
}

var driverName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

// fieldNames are what a manifest may need or want.
var fieldNames = []string{
	core.FieldUsername, core.FieldEmail, core.FieldPassword, core.FieldFirstName, core.FieldLastName, "full_name", core.FieldPhone,
	core.FieldAddress, core.FieldLocation, core.FieldBirthday, core.FieldAbout, "about_html", core.FieldWebsite, "avatar", "cover",
	core.FieldAvatarURL, core.FieldCoverURL,
}

func manifestIsStrict(c *check) {
	m := c.manifest
	if m.API != core.ManifestAPI {
		c.errorf("API is %d, this rollcall knows %d", m.API, core.ManifestAPI)
	}
	if !driverName.MatchString(m.Name) {
		c.errorf("Name %q must be lower-case letters, digits, - and _, beginning with a letter", m.Name)
	}
	if m.Version == "" || m.Summary == "" {
		c.errorf("Version and Summary must say something")
	}
	if m.Family == (len(m.Domains) > 0) {
		c.errorf("a driver names its Domains or is for a Family, one of the two")
	}
	if m.Engine != "" && m.Engine != "browser" && m.Engine != "http" {
		c.errorf("Engine %q is neither browser nor http", m.Engine)
	}
	for p, e := range m.Engines {
		if !slices.Contains(core.Phases, p) || e != "browser" && e != "http" {
			c.errorf("Engines: %s = %q is no engine of a phase", p, e)
		}
	}
	for _, f := range slices.Concat(m.Needs, m.Wants) {
		if !slices.Contains(fieldNames, f) {
			c.errorf("the task has no field %q", f)
		}
	}
	if len(m.Phases) == 0 {
		c.errorf("it has no phase")
	}
	for i, p := range m.Phases {
		if !slices.Contains(core.Phases, p) || slices.Contains(m.Phases[:i], p) {
			c.errorf("the phase %q is unknown or there twice", p)
		}
	}
	if m.Has(core.Register) && !m.Has(core.Login) && !m.Has(core.Verify) {
		c.errorf("register without login or verify can't be probed after a crash: add one")
	}
	for name, l := range m.Limits {
		if l.Min < 0 || l.Max < 0 || l.Max > 0 && l.Min > l.Max {
			c.errorf("the limit of %s can't be kept: %d to %d", name, l.Min, l.Max)
		}
	}
	for name, o := range m.Options {
		switch o.Default.(type) {
		case string, bool, float64:
		default:
			c.errorf("the option %s has the default %v: it must be a string, bool or float64", name, o.Default)
		}
	}
}

func manifestIsPure(c *check) {
	s := c.stage(0, blank)
	if s == nil {
		return
	}
	if len(c.manifest.Phases) > 0 {
		// What comes of it is the matter of other cases.
		_, _ = c.run(c.ctx, s, c.manifest.Phases[0], c.task(nil), time.Second)
	}
	for range 2 {
		again, err := c.driver.Manifest(c.ctx)
		if err != nil || !reflect.DeepEqual(again, c.manifest) {
			c.errorf("it changed: %+v, then %+v, %v", c.manifest, again, err)
		}
	}
}

func absentPhases(c *check) {
	s := c.stage(0, blank)
	if s == nil {
		return
	}
	for _, p := range append(slices.Clone(core.Phases), "no-such-phase") {
		if c.manifest.Has(p) {
			continue
		}
		if o, err := c.run(c.ctx, s, p, c.task(nil), limit); !errors.Is(err, core.ErrNoPhase) {
			c.errorf("%s: %+v %v, not core.ErrNoPhase", p, o, err)
		}
	}
}

func blank(w http.ResponseWriter, _ *http.Request) {
	io.WriteString(w, "<!doctype html><title>x</title>")
}

// each runs every phase, each in a slot of its own, at once.
func (c *check) each(page http.HandlerFunc, f func(s *stage, phase core.Phase)) {
	var wg sync.WaitGroup
	for i, p := range c.manifest.Phases {
		if s := c.stage(i%Slots, page); s != nil {
			wg.Go(func() { f(s, p) })
		}
	}
	wg.Wait()
}

func siteDown(c *check) {
	c.each(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "down for repairs", http.StatusServiceUnavailable)
	},
		func(s *stage, phase core.Phase) {
			o, err := c.run(c.ctx, s, phase, c.task(nil), limit)
			if err == nil && (o.Status == core.Done || o.Status == core.Absent || o.Status == core.Rejected) {
				c.errorf("%s: %s although every answer was a 503", phase, o.Status)
			}
			if s.committed() > 0 {
				c.errorf("%s committed on a site that is down", phase)
			}
		})
}

func strangePage(c *check) {
	c.each(blank, func(s *stage, phase core.Phase) {
		o, err := c.run(c.ctx, s, phase, c.task(nil), 3*time.Second)
		if err == nil {
			if o.Status == core.Done || o.Status == core.Absent {
				c.errorf("%s: %s on an empty page", phase, o.Status)
			}
			return
		}
		var f *core.Fault
		if !errors.As(err, &f) {
			c.errorf("%s: %v is no *core.Fault", phase, err)
			return
		}
		if f.Phase != phase || f.Verb == "" || f.Code == "" {
			c.errorf("%s: the error does not name its place: %+v", phase, f)
		}
	})
}

// visits lists the phases that begin at the site itself.
func (c *check) visits() []core.Phase {
	return slices.DeleteFunc(slices.Clone(c.manifest.Phases), func(p core.Phase) bool { return p == core.Confirm })
}

// silent is a site that never answers.
func (c *check) silent() http.HandlerFunc {
	over := make(chan struct{})
	c.later(sync.OnceFunc(func() { close(over) }))
	return func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-over:
		case <-r.Context().Done():
		}
	}
}

func deadline(c *check) {
	c.ends(core.Timeout, func(ctx context.Context, _ *stage) (context.Context, time.Duration) { return ctx, 2 * time.Second })
}

func cancelled(c *check) {
	c.ends(core.Cancelled, func(ctx context.Context, s *stage) (context.Context, time.Duration) {
		ctx, cancel := context.WithCancel(ctx)
		go func() {
			<-s.opened
			cancel()
		}()
		return ctx, limit
	})
}

// ends runs a phase that waits for a silent site and must end with code.
func (c *check) ends(code core.FaultCode, with func(context.Context, *stage) (context.Context, time.Duration)) {
	phases := c.visits()
	if len(phases) == 0 {
		return
	}
	phase := phases[0] // one is enough: the wait is the same in each
	s := c.stage(0, c.silent())
	if s == nil {
		return
	}
	ctx, within := with(c.ctx, s)
	begin := time.Now()
	o, err := c.run(ctx, s, phase, c.task(nil), within)
	var f *core.Fault
	if !errors.As(err, &f) || f.Code != code {
		c.errorf("%s: %+v %v, not a fault with the code %s", phase, o, err, code)
	}
	if code == core.Cancelled && time.Since(begin) > limit/2 {
		c.errorf("%s: a cancel took %v", phase, time.Since(begin))
	}
}

func leadElsewhere(c *check) {
	to, reached := c.elsewhere()
	c.each(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, to+r.URL.RequestURI(), http.StatusFound)
	}, func(s *stage, phase core.Phase) {
		o, err := c.run(c.ctx, s, phase, c.task(nil), 5*time.Second)
		if err == nil && o.Status == core.Done {
			c.errorf("%s: done on a site that leads elsewhere", phase)
		}
	})
	if n := reached(); n > 0 {
		c.errorf("%d requests reached another host", n)
	}
}

func eightAtOnce(c *check) {
	if len(c.visits()) == 0 {
		return
	}
	phase := c.visits()[0]
	var wg sync.WaitGroup
	for i := range Slots {
		s := c.stage(i, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", fmt.Sprint(30+i))
			http.Error(w, "slow down", http.StatusTooManyRequests)
		})
		if s == nil {
			return
		}
		wg.Go(func() {
			o, err := c.run(c.ctx, s, phase, c.task(nil), limit)
			if err == nil && o.Status == core.Waiting && o.After != time.Duration(30+i)*time.Second {
				c.errorf("slot %d heard another slot's answer: %v", i, o.After)
			}
			if err == nil && o.Status == core.Done {
				c.errorf("slot %d: done although every answer was a 429", i)
			}
		})
	}
	wg.Wait()
}
