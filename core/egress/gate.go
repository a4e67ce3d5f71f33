package egress

import (
	"errors"
	"log"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

var (
	errShut   = errors.New("the slot's egress is shut")
	errFenced = errors.New("the task's lease is over: nothing is forwarded")
)

// Gate is one slot's forward proxy.
type Gate struct {
	proxy  *Proxy
	url    string
	server *http.Server
	term   atomic.Pointer[term] // nil while the gate is shut
	fence  atomic.Int64         // a moment of Proxy.Now; 0: none was set, nothing passes

	mu      sync.Mutex // Admit, Until, Shut, Close
	timer   *time.Timer
	closed  bool
	serving chan struct{}  // closed when the server has ended
	running sync.WaitGroup // handlers

	connMu  sync.Mutex
	conns   map[net.Conn]http.ConnState // the browser's, but tunnels
	leaving bool                        // no further handlers
	empty   sync.Cond                   // conns became fewer
}

var _ core.Gate = (*Gate)(nil)

func newGate(p *Proxy, l net.Listener) *Gate {
	g := &Gate{
		proxy:   p,
		url:     "http://" + l.Addr().String(),
		serving: make(chan struct{}),
		conns:   map[net.Conn]http.ConnState{},
	}
	g.empty.L = &g.connMu
	g.server = &http.Server{
		Handler:           g,
		ReadHeaderTimeout: p.o.Timeouts.Header,
		IdleTimeout:       p.o.Timeouts.Idle,
		MaxHeaderBytes:    128 << 10,
		ConnState:         g.track,
		ErrorLog:          log.New(nowhere{}, "", 0),
	}
	go func() {
		defer close(g.serving)
		g.server.Serve(l) // ends with http.ErrServerClosed
	}()
	return g
}

// nowhere takes what net/http would print: lines made of a page's bytes.
type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }

// track keeps the browser's connections, so that Shut can close those at rest.
func (g *Gate) track(c net.Conn, s http.ConnState) {
	g.connMu.Lock()
	defer g.connMu.Unlock()
	if s == http.StateClosed || s == http.StateHijacked {
		delete(g.conns, c)
		g.empty.Broadcast()
		return
	}
	g.conns[c] = s
}

// URL is the proxy's address, http://127.0.0.1:PORT.
func (g *Gate) URL() string { return g.url }

// Admit begins a task: what was admitted before is shut first. Nothing passes
// before Until has set a fence too.
func (g *Gate) Admit(r core.EgressRules) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.endTerm()
	if !g.closed {
		g.term.Store(newTerm(g, newRules(r)))
	}
}

// Until sets the fence. A deadline that has passed cuts at once.
func (g *Gate) Until(deadline time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return
	}
	g.fence.Store(int64(deadline))
	g.watch()
}

// watch cuts when the fence has passed, else comes back when it should have.
// The timer may come late (a suspended machine): each read and write looks at
// the clock itself. g.mu is held.
func (g *Gate) watch() {
	if g.timer != nil {
		g.timer.Stop()
		g.timer = nil
	}
	fence := time.Duration(g.fence.Load())
	if fence == Forever {
		return
	}
	left := fence - g.proxy.o.Now()
	if left <= 0 {
		if t := g.term.Load(); t != nil {
			t.cut()
		}
		return
	}
	g.timer = time.AfterFunc(left, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if !g.closed && time.Duration(g.fence.Load()) == fence {
			g.watch()
		}
	})
}

// DropIdle retires the task's connections to the site: those at rest close now,
// the others before they carry another request.
func (g *Gate) DropIdle() {
	if t := g.term.Load(); t != nil {
		t.dropIdle()
	}
}

// Writes counts what was sent to the site since Admit: requests other than GET
// and HEAD, and tunnels that carried bytes. A tunnel counts again when it
// carries bytes after Writes was called, so an unchanged figure means that
// nothing was sent in between.
func (g *Gate) Writes() int {
	if t := g.term.Load(); t != nil {
		return t.countWrites()
	}
	return 0
}

// Refused lists "host: reason" of what was refused since Admit, oldest first,
// each once, at most 50.
func (g *Gate) Refused() []string {
	if t := g.term.Load(); t != nil {
		return t.listRefused()
	}
	return nil
}

// Shut ends the task: its connections are cut, requests on their way are
// answered with 502, and the fence is taken away, so that the next task needs
// both Admit and Until.
func (g *Gate) Shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.endTerm()
	g.fence.Store(0)
	g.watch()
}

// endTerm shuts the current term; g.mu is held.
func (g *Gate) endTerm() {
	t := g.term.Swap(nil)
	if t == nil {
		return
	}
	t.end()
	g.connMu.Lock()
	defer g.connMu.Unlock()
	for c, s := range g.conns {
		if s == http.StateIdle || s == http.StateNew {
			c.Close()
		}
	}
}

// Close shuts the gate for good and returns when nothing of it runs any more.
// A second call does nothing.
func (g *Gate) Close() error {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return nil
	}
	g.endTerm()
	g.fence.Store(0)
	g.watch()
	g.closed = true
	g.mu.Unlock()

	g.connMu.Lock()
	g.leaving = true
	g.connMu.Unlock()
	err := g.server.Close()
	<-g.serving
	g.connMu.Lock()
	for len(g.conns) > 0 {
		g.empty.Wait()
	}
	g.connMu.Unlock()
	g.running.Wait()
	g.proxy.forget(g)
	return err
}

// enter counts a handler, unless the gate is closed.
func (g *Gate) enter() bool {
	g.connMu.Lock()
	defer g.connMu.Unlock()
	if g.leaving {
		return false
	}
	g.running.Add(1)
	return true
}

// ServeHTTP answers one request of the browser.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !g.enter() {
		deny(w, http.StatusForbidden, errShut.Error())
		return
	}
	defer g.running.Done()
	if from, err := netip.ParseAddrPort(r.RemoteAddr); err != nil || !from.Addr().IsLoopback() {
		deny(w, http.StatusForbidden, "this proxy serves its own machine only")
		return
	}
	t := g.term.Load()
	if t == nil {
		deny(w, http.StatusForbidden, errShut.Error())
		return
	}
	if r.Method == http.MethodConnect {
		t.serveConnect(w, r)
		return
	}
	t.serveRequest(w, r)
}

// deny answers with a status and one line of text.
func deny(w http.ResponseWriter, status int, why string) {
	h := w.Header()
	clear(h)
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write([]byte("rollcall: " + why + "\n"))
}
