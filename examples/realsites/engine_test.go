package realsites_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/examples/realsites"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// counted are browsers that count the contexts they open.
type counted struct {
	core.Browsers
	opened atomic.Int32
}

func (c *counted) Context(ctx context.Context, proxy string, o core.ContextOptions) (core.BrowserContext, error) {
	c.opened.Add(1)
	return c.Browsers.Context(ctx, proxy, o)
}

// TestATaskRunsInTheEnginesThatItsDriverNames takes one task each to its profile
// without a browser, and with a change of engines in the middle of the session:
// the sign-in of one engine is the other's.
func TestATaskRunsInTheEnginesThatItsDriverNames(t *testing.T) {
	sites := realsites.For(t)
	site := sites.DokuWiki(realsites.Options{})
	for id, c := range map[string]struct {
		engine   string
		engines  map[core.Phase]string
		contexts int32
	}{
		"plain":   {engine: core.EngineHTTP},
		"ends":    {engine: core.EngineHTTP, engines: map[core.Phase]string{core.Profile: core.EngineBrowser}, contexts: 1},
		"started": {engine: core.EngineHTTP, engines: map[core.Phase]string{core.Register: core.EngineBrowser, core.Confirm: core.EngineBrowser}, contexts: 1},
	} {
		t.Run(id, func(t *testing.T) {
			h := newHouse(t, sites, site)
			f := h.options.Catalog.(fleet)
			m := f[site.Domain]
			m.binding.Manifest.Engine, m.binding.Manifest.Engines = c.engine, c.engines
			f[site.Domain] = m
			browsers := &counted{Browsers: h.options.Browsers}
			h.options.Browsers = browsers
			h.sandbox.Manager.Add(onboard(id, site))
			h.run(t)
			r := h.result(t, id, sandbox.StateProfiled)
			if want := site.ProfileURL("ngoc_" + id); r.LinkProfile != want {
				t.Errorf("link_profile is %s, not %s", r.LinkProfile, want)
			}
			if n := browsers.opened.Load(); n != c.contexts {
				t.Errorf("%d browser contexts were opened, not %d", n, c.contexts)
			}
			events, err := h.store.Events(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			phases := map[core.Phase]int{}
			for _, e := range events {
				if e.Kind == "phase" {
					phases[e.Phase]++
				}
			}
			if phases[core.Register] != 1 || phases[core.Profile] != 1 || phases[core.Login] != 0 {
				t.Errorf("the phases were %v: the sign-in of the first engine counts in the second", phases)
			}
		})
	}
}
