package browser

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-rod/rod/lib/proto"
	"go.uber.org/goleak"

	"github.com/rollcall-run/rollcall/core"
)

func TestDialogsAreAnswered(t *testing.T) {
	var steps []Step
	p := opened(t, `<button onclick="alert('hey');document.title=confirm('sure?')+'/'+prompt('name?','x')">Go</button>`, func(_ *core.Session, o *AttachOptions) {
		o.Step = func(s Step) { steps = append(steps, s) }
	})
	must[Seen](t)(p.Click(t.Context(), Locator{"button"}, nil))
	if got := script(t, p, "document.title"); got != "true/null" {
		t.Errorf("title %q", got)
	}
	last := steps[len(steps)-1]
	if got := strings.Join(last.Dialogs, ","); got != "alert: hey,confirm: sure?,prompt: name?" || last.Verb != "click" || last.Took <= 0 {
		t.Errorf("%+v", last)
	}
	script(t, p, `addEventListener('beforeunload',e=>{e.preventDefault();e.returnValue='x'})`)
	must[Seen](t)(p.Open(t.Context(), "/", nil))
}

func TestEndlessScript(t *testing.T) {
	p := opened(t, `<button id=loop onclick="for(;;);">Go</button><button id=b onclick="document.title='hit'">B</button>`, nil)
	for _, s := range []*Signs{nil, in(500*time.Millisecond, signs("ok", "#never"))} {
		ctx, cancel := deadline(t, time.Second)
		begun := time.Now()
		_, err := p.Click(ctx, Locator{"#loop"}, s)
		cancel()
		faulty(t, err, core.Timeout)
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("returned after %v", took)
		}
		must[Seen](t)(p.Click(t.Context(), Locator{"#b"}, nil))
	}
}

func TestCrashEndsTheVerb(t *testing.T) {
	p := opened(t, `<p>x`, nil)
	done := make(chan error, 1)
	go func() {
		_, err := p.Await(t.Context(), *signs("never", "#never"))
		done <- err
	}()
	p.c.send(p.session, proto.PageCrash{})
	faulty(t, <-done, core.Crashed, "crashed")
	_, err := p.Exists(t.Context(), Locator{"p"})
	faulty(t, err, core.Crashed)
}

// TestAClosedTabEndsTheVerb closes it while a verb waits for the site, for an
// element and between two verbs.
func TestAClosedTabEndsTheVerb(t *testing.T) {
	reached := make(chan struct{})
	s := newSites(t, map[string]string{"/": `<p>x`})
	s.handle("/hang", func(_ http.ResponseWriter, r *http.Request) {
		close(reached)
		<-r.Context().Done()
	})
	b := sharedBrowser(t)
	for name, verb := range map[string]func(*Page) error{
		"open": func(p *Page) error {
			_, err := p.Open(t.Context(), "/hang", nil)
			return err
		},
		"await": func(p *Page) error {
			_, err := p.Await(t.Context(), *signs("never", "#never"))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := isolated(t, b, s.URL, core.ContextOptions{})
			p := must[*Page](t)(Attach(t.Context(), core.Session{ControlURL: c.ControlURL(), TargetID: c.TargetID(), Base: "http://site.test", Services: &services{}}, AttachOptions{}))
			defer p.Close()
			must[Seen](t)(p.Open(t.Context(), "/", nil))
			done := make(chan error, 1)
			begun := time.Now()
			go func() { done <- verb(p) }()
			if name == "open" {
				<-reached
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			faulty(t, <-done, core.Crashed, "the tab was closed")
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("returned after %v", took)
			}
			_, err := p.Exists(t.Context(), Locator{"p"})
			faulty(t, err, core.Crashed, "closed")
		})
	}
}

func TestLostConnection(t *testing.T) {
	p := opened(t, `<p>x`, nil)
	p.c.close()
	_, err := p.Click(t.Context(), Locator{"p"}, nil)
	faulty(t, err, core.Crashed, "connection")
}

func TestHungImageAndHungSite(t *testing.T) {
	release := make(chan struct{})
	s := newSites(t, map[string]string{"/": `<img src=/hang><p id=x>there</p>`})
	hang := func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}
	s.handle("/hang", hang)
	t.Cleanup(func() { close(release) })
	p := newTab(t, s, nil)
	begun := time.Now()
	must[Seen](t)(p.Open(t.Context(), "/", nil))
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("open took %v", took)
	}
	ctx, cancel := deadline(t, 500*time.Millisecond)
	defer cancel()
	begun = time.Now()
	_, err := p.Open(ctx, "/hang", nil)
	faulty(t, err, core.Timeout, "has not answered")
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("returned after %v", took)
	}
	must[Seen](t)(p.Open(t.Context(), "/", nil))
}

func TestUnexpectedTab(t *testing.T) {
	p := opened(t, `<a id=a target=_blank href="/other?token=abc">Go</a><button id=b onclick="window.open('/two')">B</button><button id=c onclick="window.open('/two');document.title='x';document.body.insertAdjacentHTML('beforeend','<p class=ok>y')">C</button>`, nil)
	_, err := p.Click(t.Context(), Locator{"#a"}, nil)
	f := faulty(t, err, core.LayoutChanged, "a tab was opened for http://site.test/other")
	if strings.Contains(f.Why, "abc") {
		t.Error("the address shows its token")
	}
	_, err = p.Click(t.Context(), Locator{"#b"}, signs("never", "#never"))
	faulty(t, err, core.LayoutChanged, "/two")
	must[Seen](t)(p.Click(t.Context(), Locator{"#c"}, signs("ok", ".ok")))
}

func TestOpenWaitsForWhatAClickStarted(t *testing.T) {
	for name, body := range map[string]string{
		"form":  `<form method=post action=/save><button>Go</button></form>`,
		"fetch": `<button onclick="fetch('/save',{method:'POST'})">Go</button>`,
	} {
		t.Run(name, func(t *testing.T) {
			saved := make(chan bool, 1)
			s := newSites(t, map[string]string{"/": body, "/next": `<p>next`})
			s.handle("/save", func(w http.ResponseWriter, r *http.Request) {
				select {
				case <-r.Context().Done():
					saved <- false
				case <-time.After(300 * time.Millisecond):
					saved <- true
				}
				fmt.Fprint(w, "saved")
			})
			p := newTab(t, s, nil)
			must[Seen](t)(p.Open(t.Context(), "/", nil))
			must[Seen](t)(p.Click(t.Context(), Locator{"button"}, nil))
			must[Seen](t)(p.Open(t.Context(), "/next", signs("there", "text=next")))
			if !<-saved {
				t.Error("the request was cancelled")
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	s := newSites(t, map[string]string{"/wiki/": `home`, "/wiki/x": `x`, "www.site.test/wiki/x": `x`, "cdn.test/": `cdn`, "a.b.test/": `b`})
	p := newTab(t, s, func(c *core.Session, _ *AttachOptions) {
		c.Base, c.Hosts = "http://site.test/wiki", []string{"cdn.test", "*.b.test"}
	})
	ctx := t.Context()
	for _, ok := range []string{"/x", "http://site.test/wiki/x", "http://www.site.test/wiki/x", "http://cdn.test/", "http://a.b.test/"} {
		if _, err := p.Open(ctx, ok, nil); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
	for bad, code := range map[string]core.FaultCode{
		"http://other.test/": core.HostRefused, "http://b.test/": core.HostRefused, "http://site.test.evil.test/": core.HostRefused, "//other.test/": core.HostRefused,
		"file:///etc/passwd": core.DriverError, "data:text/html,x": core.DriverError, "javascript:alert(1)": core.DriverError, "chrome://crash": core.DriverError,
		"": core.DriverError, "x": core.DriverError, "http://u:p@site.test/": core.DriverError, "about:blank": core.DriverError,
	} {
		_, err := p.Open(ctx, bad, nil)
		faulty(t, err, code)
	}
	if got, err := p.URL(ctx, "/author/?n=1#top"); got != "http://site.test/wiki/author/?n=1#top" || err != nil {
		t.Error(got, err)
	}
	must[Seen](t)(p.Open(ctx, "/x", nil))
	if got, _ := p.URL(ctx, ""); got != "http://site.test/wiki/x" {
		t.Error(got)
	}
	s.Server.CloseClientConnections()
}

func TestSiteThatIsDown(t *testing.T) {
	s := newSites(t, nil)
	s.handle("/", func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			c.Close()
		}
	})
	p := newTab(t, s, nil)
	_, err := p.Open(t.Context(), "/", nil)
	if a, ok := err.(*SiteAnswer); !ok || a.Outcome.Code != core.SiteDown {
		t.Errorf("got %v", err)
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	s := newSites(t, map[string]string{"/": "x"})
	b := sharedBrowser(t)
	c := isolated(t, b, s.URL, core.ContextOptions{})
	before := goleak.IgnoreCurrent()
	p, err := Attach(t.Context(), core.Session{ControlURL: c.ControlURL(), TargetID: c.TargetID(), Base: "http://site.test", Services: &services{}}, AttachOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}

func BenchmarkFlow(b *testing.B) {
	s := newSites(b, map[string]string{"/done": `<p class=ok>welcome</p>`, "/": `<form method=post action=/done><label>User <input name=u></label><label>Mail <input name=e type=email></label><label>Password <input type=password name=p></label>
		<label>First <input name=f></label><label>Last <input name=l></label><label>About <textarea name=a></textarea></label><button>Join</button></form>`})
	p := newTab(b, s, func(_ *core.Session, o *AttachOptions) {
		o.Task.Entity = entity("username", "ann", "email", "a@b.example", "password", "s3cret-pass", "first_name", "Ann", "last_name", "Lý", "about", "hello world")
	})
	for b.Loop() {
		must[Seen](b)(p.Open(b.Context(), "/", nil))
		if n, err := p.Fields(b.Context(), []Field{{Name: "username", At: Locator{"label=User"}}, {Name: "email", At: Locator{"label=Mail"}}, {Name: "password", At: Locator{"label=Password"}},
			{Name: "first_name", At: Locator{"label=First"}}, {Name: "last_name", At: Locator{"label=Last"}}, {Name: "about", At: Locator{"label=About"}}}); n != 6 || err != nil {
			b.Fatal(n, err)
		}
		must[Seen](b)(p.Click(b.Context(), Locator{"role=button[name=Join]"}, signs("ok", ".ok")))
	}
}

func TestAttachChecksItsSession(t *testing.T) {
	for _, s := range []core.Session{{}, {Base: "ftp://x.test", Services: &services{}}, {Base: "http://x.test"}} {
		_, err := Attach(t.Context(), s, AttachOptions{})
		faulty(t, err, core.DriverError)
	}
	_, err := Attach(t.Context(), core.Session{Base: "http://x.test", Services: &services{}, ControlURL: "ws://127.0.0.1:1/x"}, AttachOptions{})
	faulty(t, err, core.Crashed, "can't reach the browser")
}
