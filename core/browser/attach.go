package browser

import (
	"context"
	_ "embed" // the scripts of the isolated world
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
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

// Page is one tab of a browser context, driven by the verbs. It is used by one
// goroutine at a time.
type Page struct {
	o       AttachOptions
	s       core.Session
	base    *url.URL
	c       *conn
	session string // of the tab
	results page.Results
	verb    *verb // the outermost verb that runs
	count   int   // of memories for signs
	commits bool  // the one commit was asked for

	mu sync.Mutex
	st pageState
}

// pageState is what the browser's events told; guarded by Page.mu.
type pageState struct {
	changed  chan struct{}     // closed at the next change
	worlds   []world           // of all frames' documents, in the order they came
	own      map[string]string // session by frame, of the frames that have a process of their own
	frame    string            // the main frame
	loader   string            // its document
	url      string            // its address
	answers  map[string]answer
	moving   time.Time       // when a navigation of the main frame was asked for; zero when none is under way
	loading  bool            // the main frame loads
	requests map[string]bool // unanswered writes and documents by request id; the value says document
	unheard  bool            // a verb without signs may have started something
	dialogs  []string
	tabs     []string
	held     bool // a person has the page: dialogs are theirs
	chooser  chan proto.DOMBackendNodeID
	failed   string // net error of the last document
	failedAt string // its address
	worst    answer // the worst status of a background request since the verb began
	broken   error  // crash or loss
}

// world is the isolated world of one document.
type world struct {
	session string
	id      string // unique over processes
	frame   string
}

// world is the frame's own world. A frame that moves to a process of its own has
// two for a while, and the old process may tell of its one last.
func (st *pageState) world(frame string) (w world, ok bool) {
	own := st.own[frame]
	for _, one := range st.worlds {
		if one.frame == frame && (w.session != own || one.session == own || own == "") {
			w, ok = one, true
		}
	}
	return w, ok
}

// drop forgets worlds and returns them.
func (st *pageState) drop(gone func(world) bool) (dropped []world) {
	st.worlds = slices.DeleteFunc(st.worlds, func(w world) bool {
		if gone(w) {
			dropped = append(dropped, w)
			return true
		}
		return false
	})
	return dropped
}

// answer is how a document was answered.
type answer struct {
	status int
	retry  string // Retry-After
	url    string
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
	p.st = pageState{changed: make(chan struct{}), own: map[string]string{}, answers: map[string]answer{}, requests: map[string]bool{}}
	ctx, cancel := context.WithTimeout(ctx, ActionTime)
	defer cancel()
	broke := func(err error) (*Page, error) {
		if p.c != nil {
			p.c.close()
		}
		return nil, &core.Fault{Code: core.Crashed, Phase: o.Phase, Why: fmt.Sprintf("can't attach to the tab: %v", err)}
	}
	c, err := dial(ctx, s.ControlURL, p.event)
	if err != nil {
		return broke(err)
	}
	p.mu.Lock()
	p.c = c
	p.mu.Unlock()
	var at proto.TargetAttachToTargetResult
	if err := p.c.send("", proto.TargetAttachToTarget{TargetID: proto.TargetTargetID(s.TargetID), Flatten: true}).wait(ctx, &at); err != nil {
		return broke(err)
	}
	p.session = string(at.SessionID)
	calls := p.prepare(p.session)
	tree := p.c.send(p.session, proto.PageGetFrameTree{})
	for _, k := range calls {
		if err := k.wait(ctx, nil); err != nil {
			return broke(err)
		}
	}
	var frames proto.PageGetFrameTreeResult
	if err := tree.wait(ctx, &frames); err != nil {
		return broke(err)
	}
	p.mu.Lock()
	p.st.frame, p.st.loader, p.st.url = string(frames.FrameTree.Frame.ID), string(frames.FrameTree.Frame.LoaderID), frames.FrameTree.Frame.URL
	p.mu.Unlock()
	return p, nil
}

// prepare sends what a session needs, without waiting: it is answered in order.
func (p *Page) prepare(session string) []*call {
	no := 0
	return []*call{
		p.c.send(session, proto.PageEnable{}),
		p.c.send(session, proto.RuntimeEnable{}),
		p.c.send(session, proto.InspectorEnable{}),
		p.c.send(session, proto.NetworkEnable{MaxTotalBufferSize: &no, MaxResourceBufferSize: &no}),
		p.c.send(session, proto.EmulationSetFocusEmulationEnabled{Enabled: true}),
		p.c.send(session, proto.PageAddScriptToEvaluateOnNewDocument{Source: worldSource(), WorldName: worldName, RunImmediately: true}),
		p.c.send(session, proto.TargetSetAutoAttach{AutoAttach: true, WaitForDebuggerOnStart: true, Flatten: true}),
	}
}

// Close detaches. The tab and its context stay open: they are the runner's.
func (p *Page) Close() error {
	if p.c != nil {
		p.c.close()
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
