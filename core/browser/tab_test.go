package browser

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// phases gives the sessions of one context's phases, each of a task by its id.
func phases(t *testing.T, s *sites) (attach func(task string, phase core.Phase) *Page, c *Isolated) {
	c = isolated(t, sharedBrowser(t), s.URL, core.ContextOptions{})
	return func(task string, phase core.Phase) *Page {
		t.Helper()
		session := core.Session{ControlURL: c.ControlURL(), ContextID: c.ContextID(), TargetID: c.TargetID(), Base: "http://site.test", Services: &services{}}
		p := must[*Page](t)(Attach(t.Context(), session, AttachOptions{Phase: phase, Task: core.Task{ID: task, Domain: "site.test"}}))
		t.Cleanup(func() { p.Close() })
		return p
	}, c
}

// kept reports whether a tab is kept, and how many are.
func kept(t *tab) (is bool, all int) {
	keptTabs.Lock()
	defer keptTabs.Unlock()
	return t != nil && keptTabs.byPlace[t.place] == t, len(keptTabs.byPlace)
}

func TestTheNextPhaseGoesOnWithTheConnection(t *testing.T) {
	attach, _ := phases(t, newSites(t, map[string]string{
		"/":     `<form action=/next><label>Name <input name=n></label><button id=go>Go</button></form><p id=first>here`,
		"/next": `<p id=second>there</p><button onclick="this.textContent='pressed'">Press</button>`,
	}))
	one := attach("t1", core.Register)
	must[Seen](t)(one.Open(t.Context(), "/", nil))
	if err := one.Note("website", "set"); err != nil {
		t.Fatal(err)
	}
	if _, err := one.Commit(t.Context(), "join", func(context.Context) error { return nil }, *in(100*time.Millisecond, signs("there", "#never"))); err == nil {
		t.Fatal("a sign came")
	}
	// What this starts is not waited for: the next phase has to.
	must[Seen](t)(one.Click(t.Context(), Locator{"#go"}, nil))
	connection, session := one.c, one.session
	one.Close()

	two := attach("t1", core.Register)
	if two.c != connection || two.session != session {
		t.Error("the second phase attached anew")
	}
	must[Seen](t)(two.Click(t.Context(), Locator{"button"}, nil))
	if on := must[string](t)(two.Text(t.Context(), Locator{"button"})); on != "pressed" {
		t.Errorf("the second phase clicked on the page that the first one was leaving: its button is %q", on)
	}
	if n := len(two.Results()); n != 0 {
		t.Errorf("%d results of the first phase", n)
	}
	must[Seen](t)(two.Open(t.Context(), "/", nil))
	if _, err := two.Commit(t.Context(), "join", func(ctx context.Context) error {
		_, err := two.Click(ctx, Locator{"#go"}, nil)
		return err
	}, *signs("there", "#second")); err != nil {
		t.Errorf("the one commit of the second phase: %v", err)
	}

	_, err := one.Exists(t.Context(), Locator{"#second"})
	faulty(t, err, core.Crashed, "lost")
	one.Close() // closes nothing of the second's
	must[Seen](t)(two.Open(t.Context(), "/next", nil))
}

func TestAnotherTaskAttachesAnew(t *testing.T) {
	attach, _ := phases(t, newSites(t, map[string]string{"/": `<p>x`}))
	one := attach("t1", core.Profile)
	must[Seen](t)(one.Open(t.Context(), "/", nil))
	connection := one.c
	one.Close()
	two := attach("t2", core.Profile)
	if two.c == connection {
		t.Error("it has the connection of another task")
	}
	select {
	case <-connection.ended:
	default:
		t.Error("the other task's connection is still there")
	}
	must[Seen](t)(two.Open(t.Context(), "/", nil))
}

func TestAConnectionEndsWithItsTab(t *testing.T) {
	attach, c := phases(t, newSites(t, map[string]string{"/": `<p>x`}))
	one := attach("t1", core.Profile)
	must[Seen](t)(one.Open(t.Context(), "/", nil))
	its := one.tab
	one.Close()
	if is, _ := kept(its); !is {
		t.Fatal("the tab is not kept")
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-its.c.ended:
	case <-time.After(20 * time.Second):
		t.Fatal("the connection outlives its tab")
	}
	if is, _ := kept(its); is {
		t.Error("a tab that is gone is kept")
	}
}

func TestFewTabsAreKept(t *testing.T) {
	s := newSites(t, map[string]string{"/": `<p>x`})
	for range mostTabs + 2 {
		attach, _ := phases(t, s)
		attach("t1", core.Profile).Close()
	}
	if _, n := kept(nil); n > mostTabs {
		t.Errorf("%d tabs are kept, want %d at most", n, mostTabs)
	}
}

// TestAPageGoesOnBetweenItsPhases: what it asks for and is refused meanwhile has
// nobody to be told, and is nothing that the next phase has done.
func TestAPageGoesOnBetweenItsPhases(t *testing.T) {
	s := newSites(t, map[string]string{"/": `<p>x</p><button>B</button><script>setInterval(() => fetch('/down'), 5)</script>`})
	asked := make(chan struct{}, 1)
	s.handle("/down", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		ping(asked)
	})
	attach, _ := phases(t, s)
	for i, task := range []string{"t1", "t1", "t2", "t2"} {
		p := attach(task, core.Profile)
		if i == 0 {
			must[Seen](t)(p.Open(t.Context(), "/", nil))
		}
		must[Seen](t)(p.Click(t.Context(), Locator{"button"}, nil))
		p.Close()
		for range 10 {
			<-asked
		}
	}
}

func ping(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
