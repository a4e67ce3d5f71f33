package egress

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

func TestReboundNameIsDialledWhereItWasChecked(t *testing.T) {
	site := newSite(t, func(w http.ResponseWriter, r *http.Request) {})
	w := newWorld(t, site.Listener.Addr().String(), nil)
	g := w.gate(t)
	get(t, g.client(t), "http://example.org/")
	w.names.set("example.org", "127.0.0.1")
	g.DropIdle()
	get(t, g.client(t), "http://example.org/") // the checked answer is used
	w.now.Add(int64(nameFor))
	g.DropIdle()
	if status, _ := get(t, g.client(t), "http://example.org/"); status != 403 {
		t.Errorf("the rebound name is answered %d", status)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if want := []string{"93.184.216.34:80", "93.184.216.34:80"}; !slices.Equal(w.dialed, want) {
		t.Errorf("dialled %v, want %v", w.dialed, want)
	}
}

func TestPrivateBase(t *testing.T) {
	site := newSite(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "site") })
	other := newSite(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "other") })
	w := newWorld(t, "", nil)
	g := w.gate(t)
	for _, c := range []struct {
		private bool
		url     string
		want    int
	}{{true, site.URL, 200}, {true, other.URL, 403}, {false, site.URL, 403}} {
		g.Admit(core.EgressRules{Domain: "example.org", Base: site.URL, Private: c.private})
		if status, _ := get(t, g.client(t), c.url); status != c.want {
			t.Errorf("%+v: %d", c, status)
		}
	}
}

func TestNotAProxyRequest(t *testing.T) {
	g := newWorld(t, "", nil).gate(t)
	for _, head := range []string{
		"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
		"GET ftp://example.org/ HTTP/1.1\r\nHost: example.org\r\n\r\n",
		"CONNECT example.org HTTP/1.1\r\nHost: example.org\r\n\r\n",
	} {
		c, err := net.Dial("tcp", strings.TrimPrefix(g.URL(), "http://"))
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, head)
		a, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || a.StatusCode != 400 {
			t.Errorf("%q: %v %v", head, a, err)
		}
		c.Close()
	}
}

func TestUnreachableSiteIs502(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	g := newWorld(t, l.Addr().String(), nil).gate(t)
	for _, address := range []string{"http://example.org/", "http://absent.example.org/"} {
		if status, _ := get(t, g.client(t), address); status != 502 {
			t.Errorf("%s: %d", address, status)
		}
	}
}

func TestSilentSiteTimesOut(t *testing.T) {
	over := make(chan struct{})
	site := newSite(t, func(w http.ResponseWriter, r *http.Request) { <-over })
	defer close(over)
	w := newWorld(t, site.Listener.Addr().String(), func(o *Options) { o.Timeouts.Answer = 20 * time.Millisecond })
	if status, body := get(t, w.gate(t).client(t), "http://example.org/"); status != 502 || !strings.Contains(body, "in time") {
		t.Errorf("%d %q", status, body)
	}
}

func TestShutAnswersWhatIsOnItsWay(t *testing.T) {
	for _, end := range []struct {
		name string
		do   func(*world, *Gate)
	}{
		{"Shut", func(_ *world, g *Gate) { g.Shut() }},
		{"the fence", func(w *world, g *Gate) { g.Until(w.Now()) }},
	} {
		t.Run(end.name, func(t *testing.T) {
			arrived, over := make(chan struct{}), make(chan struct{})
			site := newSite(t, func(w http.ResponseWriter, r *http.Request) { close(arrived); <-over })
			defer close(over)
			w := newWorld(t, site.Listener.Addr().String(), nil)
			g := w.gate(t)
			c := g.client(t)
			go func() { <-arrived; end.do(w, g) }()
			a, err := c.Post("http://example.org/", "text/plain", strings.NewReader("x"))
			if err != nil {
				t.Fatalf("the browser's connection was cut: %v", err)
			}
			a.Body.Close()
			if a.StatusCode != 502 {
				t.Errorf("status %d", a.StatusCode)
			}
		})
	}
}

func TestManyAtOnce(t *testing.T) {
	site := newSite(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	w := newWorld(t, site.Listener.Addr().String(), nil)
	g := w.gate(t)
	c := g.client(t)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for range 10 {
				r, err := c.Post("http://example.org/", "text/plain", strings.NewReader(fmt.Sprint(i)))
				if err != nil {
					t.Error(err)
					return
				}
				if b, _ := io.ReadAll(r.Body); string(b) != fmt.Sprint(i) {
					t.Errorf("%q came back, %d was sent", b, i)
				}
				r.Body.Close()
				g.DropIdle()
				g.Refused()
				g.Until(Forever)
			}
		})
	}
	wg.Wait()
	if g.Writes() != 160 {
		t.Errorf("%d writes", g.Writes())
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get("http://example.org/"); err == nil {
		t.Error("a closed gate answers")
	}
	w.Close()
	if _, err := w.Open(t.Context()); err == nil {
		t.Error("a closed proxy opens a gate")
	}
}
