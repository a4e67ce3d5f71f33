package egress

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rollcall-run/rollcall/core"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// names is a resolver whose answers the test sets.
type names struct {
	mu    sync.Mutex
	addrs map[string][]string
	asked int
}

func (n *names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked++
	var out []netip.Addr
	for _, a := range n.addrs[host] {
		out = append(out, netip.MustParseAddr(a))
	}
	if out == nil {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return out, nil
}

func (n *names) set(host string, addrs ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.addrs[host] = addrs
}

// world is a proxy whose names and clock the test sets, and whose connections to
// public addresses end at the test's site.
type world struct {
	*Proxy
	names  *names
	now    atomic.Int64
	site   string // host:port
	mu     sync.Mutex
	dialed []string
}

func newWorld(t testing.TB, site string, change func(*Options)) *world {
	t.Helper()
	w := &world{names: &names{addrs: map[string][]string{"example.org": {"93.184.216.34"}, "www.example.org": {"93.184.216.34"}}}, site: site}
	w.now.Store(int64(time.Hour))
	o := Options{
		Resolver: w.names,
		Now:      func() time.Duration { return time.Duration(w.now.Load()) },
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			w.mu.Lock()
			w.dialed = append(w.dialed, address)
			w.mu.Unlock()
			if strings.HasPrefix(address, "93.184.216.34:") {
				address = w.site
			}
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	}
	if change != nil {
		change(&o)
	}
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	w.Proxy = p
	t.Cleanup(func() { p.Close() })
	return w
}

var rulesOfTest = core.EgressRules{Domain: "example.org", Base: "https://example.org"}

// gate opens a gate that admits example.org for ever.
func (w *world) gate(t testing.TB) *Gate {
	t.Helper()
	g, err := w.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	g.Admit(rulesOfTest)
	g.Until(Forever)
	return g
}

func (g *Gate) client(t testing.TB) *http.Client {
	u, _ := url.Parse(g.URL())
	tr := &http.Transport{Proxy: http.ProxyURL(u), DisableCompression: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func get(t testing.TB, c *http.Client, address string) (int, string) {
	t.Helper()
	r, err := c.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

func newSite(t testing.TB, h http.HandlerFunc) *httptest.Server {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func TestForward(t *testing.T) {
	var got *http.Request
	var body []byte
	site := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Clone(context.Background())
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("Connection", "X-Hop")
		w.Header().Set("X-Hop", "1")
		w.Header().Set("X-Site", "yes")
		w.Header().Add("Set-Cookie", "a=1")
		w.Header().Add("Set-Cookie", "b=2")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, "made")
	})
	w := newWorld(t, site.Listener.Addr().String(), nil)
	g := w.gate(t)
	r, _ := http.NewRequest("PUT", "http://www.example.org/path?q=1", strings.NewReader("payload"))
	r.Header.Set("Connection", "X-Mine")
	r.Header.Set("X-Mine", "1")
	r.Header.Set("Proxy-Authorization", "Basic x")
	r.Header.Set("X-Kept", "1")
	r.Header["User-Agent"] = []string{""}
	a, err := g.client(t).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	text, _ := io.ReadAll(a.Body)
	if a.StatusCode != 201 || string(text) != "made" || a.Header.Get("X-Site") != "yes" || len(a.Header["Set-Cookie"]) != 2 {
		t.Errorf("the answer: %d %q %v", a.StatusCode, text, a.Header)
	}
	if got.Host != "www.example.org" || got.URL.String() != "/path?q=1" || string(body) != "payload" || got.ContentLength != 7 ||
		got.Header.Get("X-Kept") != "1" || got.Header.Get("X-Mine") != "" || got.Header.Get("Proxy-Authorization") != "" || got.Header.Get("User-Agent") != "" {
		t.Errorf("the request: %s %s %v %q", got.Host, got.URL, got.Header, body)
	}
	if g.Writes() != 1 {
		t.Errorf("%d writes, want 1", g.Writes())
	}
	b, err := g.client(t).Get("http://example.org/")
	if err != nil {
		t.Fatal(err)
	}
	b.Body.Close()
	if b.Header.Get("X-Hop") != "" || b.Header.Get("X-Site") != "yes" {
		t.Errorf("a header of one connection was passed on: %v", b.Header)
	}
	if g.Writes() != 1 {
		t.Errorf("a GET counts as a write: %d", g.Writes())
	}
}

func TestAnswerIsStreamed(t *testing.T) {
	more := make(chan struct{})
	site := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "first")
		w.(http.Flusher).Flush()
		<-more
		fmt.Fprint(w, " second")
	})
	g := newWorld(t, site.Listener.Addr().String(), nil).gate(t)
	a, err := g.client(t).Get("http://example.org/")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	b := make([]byte, 5)
	if _, err := io.ReadFull(a.Body, b); err != nil || string(b) != "first" {
		t.Fatalf("%q, %v", b, err)
	}
	close(more)
	if rest, err := io.ReadAll(a.Body); err != nil || string(rest) != " second" {
		t.Fatalf("%q, %v", rest, err)
	}
}

func TestGateIsShutAtFirst(t *testing.T) {
	var hits atomic.Int32
	site := newSite(t, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
	w := newWorld(t, site.Listener.Addr().String(), nil)
	g, err := w.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	try := func(when string, want int) {
		t.Helper()
		before := hits.Load()
		status, _ := get(t, g.client(t), "http://example.org/")
		if status != want || (hits.Load() > before) != (want == 200) {
			t.Errorf("%s: status %d, want %d, %d reached the site", when, status, want, hits.Load()-before)
		}
	}
	try("before Admit", 403)
	g.Admit(rulesOfTest)
	try("before Until", 502)
	g.Until(w.Now() + time.Minute)
	try("admitted", 200)
	w.now.Add(int64(time.Minute))
	try("past the fence", 502)
	g.Until(w.Now() + time.Minute)
	try("with a later fence", 200)
	g.Shut()
	try("shut", 403)
	g.Admit(rulesOfTest)
	try("admitted again, without a fence", 502)
}

func TestRefusals(t *testing.T) {
	site := newSite(t, func(w http.ResponseWriter, r *http.Request) {})
	w := newWorld(t, site.Listener.Addr().String(), nil)
	w.names.set("mixed.example.org", "93.184.216.34", "10.0.0.1")
	w.names.set("meta.example.org", "169.254.169.254")
	w.names.set("mapped.example.org", "::ffff:127.0.0.1")
	g := w.gate(t)
	c := g.client(t)
	for _, address := range []string{
		"http://evil.test/", "http://evil.test/again", "http://127.0.0.1/", "http://[::1]/", "http://example.org:22/",
		"http://mixed.example.org/", "http://meta.example.org/", "http://mapped.example.org/",
	} {
		if status, body := get(t, c, address); status != 403 || len(body) > 300 {
			t.Errorf("%s: %d %q", address, status, body)
		}
	}
	for _, target := range []string{"evil.test:443", "meta.example.org:443"} {
		if _, err := c.Get("https://" + target + "/"); err == nil || !strings.Contains(err.Error(), "Forbidden") {
			t.Errorf("CONNECT %s: %v", target, err)
		}
	}
	list := g.Refused()
	if len(list) != 7 || !strings.HasPrefix(list[0], "evil.test: ") || !strings.HasPrefix(list[3], "example.org:22: ") {
		t.Errorf("refused: %q", list)
	}
	w.mu.Lock()
	if len(w.dialed) != 0 {
		t.Errorf("dialled %v", w.dialed)
	}
	w.mu.Unlock()
	for i := range 60 {
		get(t, c, fmt.Sprintf("http://h%d.test/", i))
	}
	if n := len(g.Refused()); n != maxRefused {
		t.Errorf("%d refusals are kept", n)
	}
	g.Admit(rulesOfTest)
	if n := len(g.Refused()); n != 0 {
		t.Errorf("%d refusals of the task before", n)
	}
}
