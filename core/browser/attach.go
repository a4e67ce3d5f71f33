package browser

import (
	"context"
	_ "embed" // the scripts of the isolated world
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/go-rod/rod/lib/proto"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/page"
)

var (
	//go:embed world.js
	worldBase string
	//go:embed world_find.js
	worldFind string
	//go:embed world_signs.js
	worldSigns string
	//go:embed world_act.js
	worldAct string
	//go:embed world_fields.js
	worldFields string
)

// worldName is the isolated world that the verbs live in.
const worldName = "rollcall"

func worldSource() string {
	return "(() => { if (globalThis.rollcall) return;\n" + worldBase + worldFind + worldSigns + worldAct + worldFields + "})();"
}

// Page is one tab of a browser context in one phase, driven by the verbs. It is
// used by one goroutine at a time.
type Page struct {
	*tab
	o       AttachOptions
	s       core.Session
	base    *url.URL
	results page.Results
	verb    *verb // the outermost verb that runs
	commits bool  // the one commit was asked for
	closed  bool
}

// Attach connects to the visit's tab. The page is usable until Close, which
// leaves the tab as it is.
func Attach(ctx context.Context, s core.Session, o AttachOptions) (*Page, error) {
	base, err := url.Parse(s.Base)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, &core.Fault{Code: core.DriverError, Phase: o.Phase, Why: "the site's base address must be an http or https URL"}
	}
	if s.Services == nil {
		return nil, &core.Fault{Code: core.DriverError, Phase: o.Phase, Why: "core.Session.Services is nil"}
	}
	p := &Page{o: o, s: s, base: base, results: page.Results{}}
	at := place{s.ControlURL, s.TargetID}
	if p.tab = keptTab(at, o.Task.ID, p.site()); p.tab == nil {
		if p.tab, err = openTab(ctx, at, o.Task.ID, p.site()); err != nil {
			return nil, &core.Fault{Code: core.Crashed, Phase: o.Phase, Why: fmt.Sprintf("can't attach to the tab: %v", err)}
		}
	}
	return p, nil
}

// Close ends the phase's use of the tab. Tab and context stay open: they are the
// runner's.
func (p *Page) Close() error {
	if !p.closed {
		p.tab.leave()
		p.tab, p.closed = closedTab(), true
	}
	return nil
}

// world waits for the isolated world of a frame, other than the one named by not.
func (p *Page) world(ctx context.Context, frame, not string) (world, error) {
	for {
		p.mu.Lock()
		if p.st.broken != nil {
			defer p.mu.Unlock()
			return world{}, p.st.broken
		}
		if frame == "" {
			frame = p.st.frame
		}
		w, ok := p.st.world(frame)
		changed := p.st.changed
		p.mu.Unlock()
		if ok && w.id != not {
			return w, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return world{}, ctx.Err()
		}
	}
}

// invoke starts a function of the isolated world.
func (p *Page) invoke(w world, name string, arg any) *call {
	type argument struct {
		Value any `json:"value"`
	}
	return p.c.sendTo(w.session, w.id, "Runtime.callFunctionOn", map[string]any{
		"functionDeclaration": "function(n,a){return rollcall.call(n,a)}",
		"uniqueContextId":     w.id,
		"arguments":           []argument{{name}, {arg}},
		"returnByValue":       true,
		"awaitPromise":        true,
	})
}

// valueOf waits for what invoke started and decodes its value into out, which may be nil.
func valueOf(ctx context.Context, k *call, out any) error {
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	if err := k.wait(ctx, &r); err != nil {
		return err
	}
	if d := r.ExceptionDetails; d != nil {
		text, _, _ := strings.Cut(d.Exception.Description, "\n")
		if text == "" {
			text = d.Text
		}
		if strings.Contains(text, "rollcall is not defined") {
			return fmt.Errorf("%w: %s", errGone, text)
		}
		return errors.New("a script of the verbs failed: " + text)
	}
	if out == nil || len(r.Result.Value) == 0 {
		return nil
	}
	return json.Unmarshal(r.Result.Value, out)
}

// free stops scripts that don't end, so that the tab can be used again.
func (p *Page) free() {
	p.mu.Lock()
	sessions := map[string]bool{p.session: true}
	for _, w := range p.st.worlds {
		sessions[w.session] = true
	}
	p.mu.Unlock()
	for s := range sessions {
		p.c.send(s, proto.RuntimeTerminateExecution{})
	}
}

// patience is how much longer than the page itself the caller waits for its answer.
const patience = 700 * time.Millisecond
