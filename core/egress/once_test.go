package egress

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// killer is a site that answers the first request of each connection and kills
// the connection, with a reset, at the second. It counts what came on the wire.
type killer struct {
	net.Listener
	mu    sync.Mutex
	seen  map[string]int // by method and path
	page  string         // what every answer is
	wg    sync.WaitGroup
	hooks map[string]func() // by path
}

// at calls do when path is asked for.
func (k *killer) at(path string, do func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.hooks[path] = do
}

func newKiller(t testing.TB, page string) *killer {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k := &killer{Listener: l, seen: map[string]int{}, page: page, hooks: map[string]func(){}}
	k.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			k.wg.Go(func() { k.serve(c) })
		}
	})
	t.Cleanup(func() { l.Close(); k.wg.Wait() })
	return k
}

func (k *killer) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for n := 0; ; n++ {
		q, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		io.Copy(io.Discard, q.Body)
		k.mu.Lock()
		k.seen[q.Method+" "+q.URL.Path]++
		hook := k.hooks[q.URL.Path]
		k.mu.Unlock()
		if hook != nil {
			hook()
		}
		// A POST is never answered: its connection dies before the headers do.
		if q.Method == "POST" || n > 0 {
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
			return
		}
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s", len(k.page), k.page)
	}
}

func (k *killer) count(what string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.seen[what]
}

func TestDyingConnectionSeesOnePost(t *testing.T) {
	k := newKiller(t, "page")
	g := newWorld(t, k.Addr().String(), nil).gate(t)
	c := g.client(t)
	for i := range 5 {
		get(t, c, fmt.Sprintf("http://example.org/%d", i)) // warms the connections on both sides
		g.DropIdle()
		body := strings.NewReader("x")
		r, _ := http.NewRequest("POST", "http://example.org/submit", body) // GetBody is set: net/http could send it again
		r.Header.Set("Idempotency-Key", "k")                               // and is told that it may
		a, err := c.Do(r)
		if err != nil {
			t.Fatalf("the browser's connection died: %v", err)
		}
		a.Body.Close()
		if a.StatusCode != 502 {
			t.Errorf("status %d", a.StatusCode)
		}
		if n := k.count("POST /submit"); n != i+1 {
			t.Fatalf("%d POSTs on the wire after %d", n, i+1)
		}
	}
	if g.Writes() != 5 {
		t.Errorf("%d writes", g.Writes())
	}
}

// An answer that breaks off reaches the browser with its headers, so that it
// has no reason to ask again, and is not taken for the whole.
func TestBrokenAnswerKeepsItsHeaders(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer l.Close()
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			http.ReadRequest(bufio.NewReader(c))
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")
			c.Close()
		}
	})
	g := newWorld(t, l.Addr().String(), nil).gate(t)
	for _, method := range []string{"GET", "POST"} {
		r, _ := http.NewRequest(method, "http://example.org/", nil)
		a, err := g.client(t).Do(r)
		if err != nil {
			t.Fatalf("%s: %v", method, err)
		}
		b, err := io.ReadAll(a.Body)
		a.Body.Close()
		if a.StatusCode != 200 || string(b) != "part" || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %d %q %v", method, a.StatusCode, b, err)
		}
	}
}

// tlsWorld is an HTTPS site of example.org, a gate to it, and a dialler of tunnels.
func tlsWorld(t *testing.T, h http.HandlerFunc) (*world, *Gate, func() net.Conn) {
	site := httptest.NewTLSServer(h)
	t.Cleanup(site.Close)
	w := newWorld(t, site.Listener.Addr().String(), nil)
	g := w.gate(t)
	return w, g, func() net.Conn {
		c, err := net.Dial("tcp", strings.TrimPrefix(g.URL(), "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		fmt.Fprint(c, "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n")
		a, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || a.StatusCode != 200 {
			t.Fatalf("CONNECT: %v %v", a, err)
		}
		return tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	}
}

func ask(c net.Conn, method string) error {
	if _, err := fmt.Fprintf(c, "%s / HTTP/1.1\r\nHost: example.org\r\nContent-Length: 0\r\n\r\n", method); err != nil {
		return err
	}
	a, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	_, err = io.ReadAll(a.Body)
	return err
}

func TestTunnelsAreDroppedBeforeTheNextRequest(t *testing.T) {
	var mu sync.Mutex
	posts := 0
	w, g, open := tlsWorld(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			mu.Lock()
			posts++
			mu.Unlock()
		}
		fmt.Fprint(w, "x")
	})
	rest, busy := open(), open()
	for _, c := range []net.Conn{rest, busy} {
		if err := ask(c, "GET"); err != nil {
			t.Fatal(err)
		}
	}
	w.now.Add(int64(restAfter))
	if err := ask(busy, "GET"); err != nil {
		t.Fatal(err)
	}
	g.DropIdle()
	if err := ask(rest, "POST"); err == nil {
		t.Error("a tunnel at rest goes on after DropIdle")
	}
	w.now.Add(int64(restAfter)) // the other comes to rest
	if err := ask(busy, "POST"); err == nil {
		t.Error("a retired tunnel takes another request")
	}
	mu.Lock()
	if posts != 0 {
		t.Errorf("%d POSTs went over used tunnels", posts)
	}
	mu.Unlock()
	if err := ask(open(), "POST"); err != nil {
		t.Errorf("a fresh tunnel: %v", err)
	}
}

func TestTunnelsCountAsWrites(t *testing.T) {
	_, g, open := tlsWorld(t, func(w http.ResponseWriter, r *http.Request) {})
	if n := g.Writes(); n != 0 {
		t.Fatalf("%d at first", n)
	}
	c := open()
	if n := g.Writes(); n != 0 {
		t.Fatalf("an empty tunnel counts: %d", n)
	}
	for _, want := range []int{1, 2} {
		for range 2 {
			if err := ask(c, "GET"); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if n := g.Writes(); n != want {
				t.Errorf("%d writes, want %d", n, want)
			}
		}
	}
}

func TestFenceCutsTunnels(t *testing.T) {
	for _, end := range []struct {
		name string
		do   func(*world, *Gate)
	}{
		{"a deadline that has passed", func(w *world, g *Gate) { g.Until(w.Now()) }},
		{"Shut", func(_ *world, g *Gate) { g.Shut() }},
		{"Close", func(_ *world, g *Gate) { g.Close() }},
		{"the timer", func(w *world, g *Gate) {
			g.Until(w.Now() + time.Millisecond)
			w.now.Add(int64(time.Millisecond))
		}},
	} {
		t.Run(end.name, func(t *testing.T) {
			w, g, open := tlsWorld(t, func(w http.ResponseWriter, r *http.Request) {})
			c := open()
			if err := ask(c, "GET"); err != nil {
				t.Fatal(err)
			}
			end.do(w, g)
			c.SetReadDeadline(time.Now().Add(5 * time.Second))
			if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "timeout") {
				t.Errorf("the tunnel is open: %v", err)
			}
		})
	}
}

// TestWakingPastTheFence moves the clock without any timer having run, as a
// paused process finds it: the very next byte must not pass.
func TestWakingPastTheFence(t *testing.T) {
	site, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer site.Close()
	arrived := make(chan net.Conn, 1)
	go func() {
		if c, err := site.Accept(); err == nil {
			arrived <- c
		}
	}()
	w := newWorld(t, site.Addr().String(), nil)
	g := w.gate(t)
	g.Until(w.Now() + time.Hour)
	c, err := net.Dial("tcp", strings.TrimPrefix(g.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\nbefore")
	r := bufio.NewReader(c)
	if a, err := http.ReadResponse(r, nil); err != nil || a.StatusCode != 200 {
		t.Fatalf("CONNECT: %v %v", a, err)
	}
	up := <-arrived
	defer up.Close()
	b := make([]byte, 6)
	if _, err := io.ReadFull(up, b); err != nil || string(b) != "before" {
		t.Fatalf("%q %v", b, err)
	}
	w.now.Add(int64(time.Hour))
	fmt.Fprint(c, "after")
	if rest, _ := io.ReadAll(up); len(rest) != 0 {
		t.Errorf("%q was forwarded past the fence", rest)
	}
	if rest, _ := io.ReadAll(r); len(rest) != 0 {
		t.Errorf("%q came back", rest)
	}
}
