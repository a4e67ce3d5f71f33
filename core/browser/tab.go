package browser

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/go-rod/rod/lib/proto"

	"github.com/rollcall-run/rollcall/core/page"
)

// tab is a connection to a tab, and what the browser has told of it. It lasts as
// long as the phases of one task follow each other.
type tab struct {
	place   place
	task    string
	c       *conn
	session string
	count   int // of memories for signs

	mu    sync.Mutex
	st    pageState
	reach page.Site // of the phase, or of the last one
	kept  bool      // no phase has it
}

// place is where a tab is: the browser's address, and its name of the tab.
type place struct{ control, target string }

// pageState is what the browser's events told; guarded by tab.mu.
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

// openTab connects to a tab for a task.
func openTab(ctx context.Context, at place, task string, reach page.Site) (*tab, error) {
	ctx, cancel := context.WithTimeout(ctx, ActionTime)
	defer cancel()
	t := &tab{place: at, task: task, reach: reach}
	t.st = pageState{changed: make(chan struct{}), own: map[string]string{}, answers: map[string]answer{}, requests: map[string]bool{}}
	c, err := dial(ctx, at.control, t.event)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	t.c = c
	t.mu.Unlock()
	if err := t.attach(ctx); err != nil {
		c.close()
		return nil, err
	}
	return t, nil
}

func (t *tab) attach(ctx context.Context) error {
	var at proto.TargetAttachToTargetResult
	if err := t.c.send("", proto.TargetAttachToTarget{TargetID: proto.TargetTargetID(t.place.target), Flatten: true}).wait(ctx, &at); err != nil {
		return err
	}
	t.session = string(at.SessionID)
	calls := t.prepare(t.session)
	tree := t.c.send(t.session, proto.PageGetFrameTree{})
	for _, k := range calls {
		if err := k.wait(ctx, nil); err != nil {
			return err
		}
	}
	var frames proto.PageGetFrameTreeResult
	if err := tree.wait(ctx, &frames); err != nil {
		return err
	}
	t.mu.Lock()
	t.st.frame, t.st.loader, t.st.url = string(frames.FrameTree.Frame.ID), string(frames.FrameTree.Frame.LoaderID), frames.FrameTree.Frame.URL
	t.mu.Unlock()
	return nil
}

// prepare sends what a session needs, without waiting: it is answered in order.
func (t *tab) prepare(session string) []*call {
	no := 0
	return []*call{
		t.c.send(session, proto.PageEnable{}),
		t.c.send(session, proto.RuntimeEnable{}),
		t.c.send(session, proto.InspectorEnable{}),
		t.c.send(session, proto.NetworkEnable{MaxTotalBufferSize: &no, MaxResourceBufferSize: &no}),
		t.c.send(session, proto.EmulationSetFocusEmulationEnabled{Enabled: true}),
		t.c.send(session, proto.PageAddScriptToEvaluateOnNewDocument{Source: worldSource(), WorldName: worldName, RunImmediately: true}),
		t.c.send(session, proto.TargetSetAutoAttach{AutoAttach: true, WaitForDebuggerOnStart: true, Flatten: true}),
	}
}

// keptTabs are the tabs that no phase has at the moment. They stay connected: the
// task's next phase goes on with them. The connection ends with the tab, or when
// the tab serves another task.
var keptTabs = struct {
	sync.Mutex
	byPlace map[place]*tab
}{byPlace: map[place]*tab{}}

// mostTabs is how many are kept. A worker has one at a time, a plugin one for each slot.
const mostTabs = 4

// keptTab returns the tab that is kept for a task and still connected, or nil. Of
// what came before stands what is still true: its documents, what they have not
// answered, and how the last one failed.
func keptTab(at place, task string, reach page.Site) *tab {
	keptTabs.Lock()
	t := keptTabs.byPlace[at]
	delete(keptTabs.byPlace, at)
	keptTabs.Unlock()
	if t == nil {
		return nil
	}
	t.mu.Lock()
	t.kept = false
	usable := t.st.broken == nil && t.task == task
	t.reach = reach
	t.st.dialogs, t.st.tabs, t.st.chooser, t.st.worst = nil, nil, nil, answer{}
	t.mu.Unlock()
	if !usable {
		t.c.close()
		return nil
	}
	return t
}

// leave keeps the tab for the task's next phase, or ends the connection.
func (t *tab) leave() {
	if !t.keep() {
		t.c.close()
	}
}

func (t *tab) keep() bool {
	keptTabs.Lock()
	defer keptTabs.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.task == "" || t.st.broken != nil || keptTabs.byPlace[t.place] != nil {
		return false
	}
	for at, other := range keptTabs.byPlace {
		if len(keptTabs.byPlace) < mostTabs {
			break
		}
		delete(keptTabs.byPlace, at)
		go other.c.close()
	}
	keptTabs.byPlace[t.place] = t
	t.kept = true
	return true
}

// forget ends the connection of a kept tab that is gone.
func (t *tab) forget() {
	keptTabs.Lock()
	if keptTabs.byPlace[t.place] == t {
		delete(keptTabs.byPlace, t.place)
	}
	keptTabs.Unlock()
	t.c.close()
}

// closedTab is what a page has after Close: every verb fails.
func closedTab() *tab {
	ended := make(chan struct{})
	close(ended)
	return &tab{c: &conn{err: errLost, ended: ended, pending: map[int]*call{}}, st: pageState{changed: make(chan struct{}), broken: errLost}}
}
