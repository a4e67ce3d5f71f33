package egress

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// restAfter is how long a tunnel must be silent to count as at rest.
	restAfter = 100 * time.Millisecond
	// pendingFor is how long a tunnel whose last bytes went to the site is taken
	// to wait for an answer.
	pendingFor = 5 * time.Second
)

// tunnel carries a CONNECT's bytes both ways.
type tunnel struct {
	term    *term
	browser net.Conn
	site    net.Conn
	counted atomic.Bool // counted as a write since Writes was called

	mu      sync.Mutex
	last    time.Duration // when the last byte was forwarded, either way, by Proxy.Now
	asked   bool          // the last byte went to the site
	retired bool
	dead    bool
}

// serveConnect opens a tunnel to an admitted host.
func (t *term) serveConnect(w http.ResponseWriter, r *http.Request) {
	host, port, ok := splitTarget(r.Host, 0)
	if !ok {
		deny(w, http.StatusBadRequest, "CONNECT needs host:port")
		return
	}
	site, err := t.dial(r.Context(), "tcp", net.JoinHostPort(host, itoa(port)))
	if err != nil {
		if t.open() != nil {
			deny(w, http.StatusForbidden, t.open().Error())
			return
		}
		t.fail(w, err)
		return
	}
	browser, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		site.Close()
		deny(w, http.StatusBadGateway, "the connection can't be made a tunnel")
		return
	}
	u := &tunnel{term: t, browser: browser, site: site, last: t.gate.proxy.o.Now()}
	defer u.close()
	t.mu.Lock()
	t.tunnels[u] = struct{}{}
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		delete(t.tunnels, u)
		t.mu.Unlock()
	}()
	if t.open() != nil { // ended before the tunnel was listed
		return
	}
	browser.SetDeadline(time.Time{})
	if _, err := io.WriteString(browser, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	down := make(chan struct{})
	go func() {
		defer close(down)
		u.down()
	}()
	u.up(rw.Reader)
	<-down
}

// up forwards the browser's bytes.
func (u *tunnel) up(from *bufio.Reader) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	for {
		n, err := u.read(u.browser, from, *buf)
		if n > 0 {
			if !u.admit() {
				u.close()
				return
			}
			if !u.counted.Swap(true) {
				u.term.countSent()
			}
			if _, err := u.site.Write((*buf)[:n]); err != nil {
				u.close()
				return
			}
			u.passed(true)
		}
		if err != nil {
			u.finish(err, u.site)
			return
		}
	}
}

// down forwards the site's bytes.
func (u *tunnel) down() {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	for {
		n, err := u.read(u.site, u.site, *buf)
		if n > 0 {
			u.passed(false)
			if u.term.open() != nil {
				u.close()
				return
			}
			u.browser.SetWriteDeadline(time.Now().Add(u.term.gate.proxy.o.Timeouts.Idle))
			if _, err := u.browser.Write((*buf)[:n]); err != nil {
				u.close()
				return
			}
			u.passed(false)
		}
		if err != nil {
			u.finish(err, u.browser)
			return
		}
	}
}

// read reads from c through r. Silence of one side is no reason to stop while
// the other is heard.
func (u *tunnel) read(c net.Conn, r io.Reader, p []byte) (int, error) {
	idle := u.term.gate.proxy.o.Timeouts.Idle
	for {
		c.SetReadDeadline(time.Now().Add(idle))
		n, err := r.Read(p)
		if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
			u.mu.Lock()
			heard := !u.dead && u.now()-u.last < idle
			u.mu.Unlock()
			if heard {
				continue
			}
		}
		return n, err
	}
}

// finish passes the end of one direction on; an error ends both.
func (u *tunnel) finish(err error, to net.Conn) {
	if c, ok := to.(interface{ CloseWrite() error }); ok && errors.Is(err, io.EOF) && c.CloseWrite() == nil {
		return
	}
	u.close()
}

func (u *tunnel) now() time.Duration { return u.term.gate.proxy.o.Now() }

// admit says whether bytes of the browser may pass. Not when the tunnel was
// retired and has been at rest since: they belong to a new request, which must
// not go over a used connection. Nothing of it has been forwarded then.
func (u *tunnel) admit() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := u.now()
	if u.dead || u.retired && now-u.last >= restAfter {
		return false
	}
	u.last, u.asked = now, true
	return true
}

// passed notes that bytes went up to the site, or down from it.
func (u *tunnel) passed(up bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.last, u.asked = u.now(), up
}

// retire closes the tunnel if it is at rest, else before its next request.
func (u *tunnel) retire() {
	u.mu.Lock()
	u.retired = true
	silent := u.now() - u.last
	rest := silent >= restAfter && !u.asked || silent >= pendingFor
	u.mu.Unlock()
	if rest {
		u.close()
	}
}

// close cuts both sides.
func (u *tunnel) close() {
	u.mu.Lock()
	u.dead = true
	u.mu.Unlock()
	u.browser.Close()
	if s, ok := u.site.(*upstream); ok && u.term.open() != nil {
		s.reset()
		return
	}
	u.site.Close()
}
