package html_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/page"
)

// port is an egress port that keeps its connections, and dies over a request for
// which dies is true, on a connection that was used before.
type port struct {
	net.Listener
	dies func(*http.Request) bool

	mu    sync.Mutex
	conns []net.Conn
	seen  []string
}

func newPort(t *testing.T, dies func(*http.Request) bool) *port {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &port{Listener: l, dies: dies}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			p.conns = append(p.conns, c)
			p.mu.Unlock()
			serving.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.mu.Lock()
		for _, c := range p.conns {
			c.Close()
		}
		p.mu.Unlock()
		serving.Wait()
	})
	return p
}

func (p *port) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for n := 0; ; n++ {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		io.Copy(io.Discard, req.Body)
		p.mu.Lock()
		p.seen = append(p.seen, req.Method+" "+req.URL.Path)
		p.mu.Unlock()
		if n > 0 && p.dies(req) {
			return
		}
		body := `<form method=post action=/to><button>Go</button></form><a href=/to>Go too</a>`
		if req.URL.Path == "/to" {
			body = "<p id=ok>Thanks</p>"
		}
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
}

func (p *port) count(request string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(slices.DeleteFunc(slices.Clone(p.seen), func(s string) bool { return s != request }))
}

// through has a page take its way through the port.
func (p *port) through(_ *page.Options, s *core.Session) {
	s.Proxy, s.Base = "http://"+p.Addr().String(), "http://site.test"
}

// TestACommitIsNotSentAgainOverAKeptConnection: the egress port has the request and
// its connection ends without an answer.
func TestACommitIsNotSentAgainOverAKeptConnection(t *testing.T) {
	for request, locator := range map[string]string{"POST /to": "button", "GET /to": "a"} {
		t.Run(request, func(t *testing.T) {
			port := newPort(t, func(r *http.Request) bool { return r.URL.Path == "/to" })
			r := &runner{}
			p := attach(t, &site{Server: &httptest.Server{URL: "http://site.test"}}, r, core.Register, port.through)
			must[page.Seen](t)(p.Open(t.Context(), "/", nil))
			_, err := p.CommitClick(t.Context(), at(locator), signs("made", "#ok"))
			answered(t, err, core.SiteDown)
			if n := port.count(request); n != 1 {
				t.Errorf("it was sent %d times", n)
			}
			if r.commits != 1 || r.committed != 0 {
				t.Errorf("%d commits, %d committed", r.commits, r.committed)
			}
		})
	}
}

// TestReadingIsTriedAgain: a page that is only read may be asked for a second time.
func TestReadingIsTriedAgain(t *testing.T) {
	var died atomic.Bool
	port := newPort(t, func(*http.Request) bool { return !died.Swap(true) })
	p := attach(t, &site{Server: &httptest.Server{URL: "http://site.test"}}, &runner{}, core.Register, port.through)
	must[page.Seen](t)(p.Open(t.Context(), "/", nil))
	must[page.Seen](t)(p.Open(t.Context(), "/to", nil))
	if n := port.count("GET /to"); n != 2 {
		t.Errorf("the page was asked for %d times", n)
	}
}

// TestTheNextPhaseGoesOnOverTheVisitsConnections, its form too.
func TestTheNextPhaseGoesOnOverTheVisitsConnections(t *testing.T) {
	port := newPort(t, func(*http.Request) bool { return false })
	for _, phase := range []core.Phase{core.Register, core.Profile} {
		p := attach(t, &site{Server: &httptest.Server{URL: "http://site.test"}}, &runner{}, phase, port.through)
		must[page.Seen](t)(p.Open(t.Context(), "/", nil))
		must[page.Seen](t)(p.Click(t.Context(), at("button"), sign("made", "#ok")))
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n := port.count("POST /to"); n != 2 {
		t.Errorf("the form was sent %d times", n)
	}
	port.mu.Lock()
	defer port.mu.Unlock()
	if n := len(port.conns); n != 1 {
		t.Errorf("there were %d connections", n)
	}
}
