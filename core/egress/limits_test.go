package egress

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

func TestSlowAndHugeHeadersEnd(t *testing.T) {
	w := newWorld(t, "", func(o *Options) { o.Timeouts.Header = 20 * time.Millisecond })
	g := w.gate(t)
	for name, c := range map[string]struct {
		send string
		want int // status, 0 when the connection ends without one
	}{
		"a header that never ends": {"GET http://example.org/ HTTP/1.1\r\nHost: example.org\r\nX-Slow: ", 0},
		"a huge header":            {"GET http://example.org/ HTTP/1.1\r\nHost: example.org\r\nX: " + strings.Repeat("x", 200<<10) + "\r\n\r\n", 431},
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(g.URL(), "http://"))
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		io.WriteString(conn, c.send)
		r := bufio.NewReader(conn)
		a, err := http.ReadResponse(r, nil)
		if c.want == 0 && err == nil || c.want != 0 && (err != nil || a.StatusCode != c.want) {
			t.Errorf("%s: %v, %v", name, a, err)
		}
		if ne, ok := err.(net.Error); ok && ne.Timeout() {
			t.Errorf("%s keeps its connection", name)
		}
		conn.Close()
	}
}

func TestFetch(t *testing.T) {
	big := bytes.Repeat([]byte("x"), 2<<20)
	var cookies atomic.Int32
	site := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Cookie") != "" || r.Header.Get("Authorization") != "" || r.Header.Get("Referer") != "" {
			cookies.Add(1)
		}
		switch r.URL.Path {
		case "/hop":
			http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
			http.Redirect(w, r, "http://www.example.org/page", http.StatusFound)
		case "/out":
			http.Redirect(w, r, "http://evil.test/", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/page":
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, "page")
		case "/big":
			w.Write(big)
		}
	})
	w := newWorld(t, site.Listener.Addr().String(), nil)
	g := w.gate(t)
	status, final, body, err := g.Fetch(t.Context(), "http://user:pass@example.org/hop")
	if err != nil || status != 404 || final != "http://www.example.org/page" || string(body) != "page" || cookies.Load() != 0 {
		t.Errorf("%d %s %q %v, %d requests were not logged-out", status, final, body, err, cookies.Load())
	}
	if _, _, body, err = g.Fetch(t.Context(), "http://example.org/big"); err != nil || len(body) != fetchLimit {
		t.Errorf("a big page: %d bytes, %v", len(body), err)
	}
	for address, want := range map[string]string{
		"http://example.org/out":  "evil.test",
		"http://example.org/loop": "redirects",
		"http://evil.test/":       "evil.test",
		"file:///etc/passwd":      "http",
		"http://%zz/":             "address",
	} {
		if _, _, _, err := g.Fetch(t.Context(), address); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", address, err)
		}
	}
	if !slices.ContainsFunc(g.Refused(), func(s string) bool { return strings.HasPrefix(s, "evil.test: ") }) {
		t.Errorf("refused: %q", g.Refused())
	}
	g.Until(w.Now())
	if _, _, _, err := g.Fetch(t.Context(), "http://example.org/page"); !errors.Is(err, errFenced) {
		t.Errorf("past the fence: %v", err)
	}
	g.Shut()
	if _, _, _, err := g.Fetch(t.Context(), "http://example.org/page"); !errors.Is(err, errShut) {
		t.Errorf("shut: %v", err)
	}
}

func TestFetchOverTLS(t *testing.T) {
	site := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "profile") }))
	defer site.Close()
	roots := x509.NewCertPool()
	roots.AddCert(site.Certificate())
	for _, c := range []struct {
		roots *x509.CertPool
		want  string
	}{{roots, "profile"}, {x509.NewCertPool(), ""}} {
		w := newWorld(t, "", func(o *Options) { o.RootCAs = c.roots })
		g := w.gate(t)
		g.Admit(core.EgressRules{Domain: "example.org", Base: site.URL, Private: true})
		status, _, body, err := g.Fetch(t.Context(), site.URL+"/who")
		if c.want == "" {
			if err == nil || !strings.Contains(err.Error(), "certificate") {
				t.Errorf("an unknown authority: %d %v", status, err)
			}
			continue
		}
		if err != nil || status != 200 || string(body) != c.want {
			t.Errorf("%d %q %v", status, body, err)
		}
	}
}

// TestClockGoesOn holds the fence's clock to what it promises on this system.
func TestClockGoesOn(t *testing.T) {
	p, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	a, b := p.Now(), p.Now()
	if a <= 0 || b < a || b-a > time.Minute {
		t.Errorf("the clock says %s and then %s", a, b)
	}
}

func BenchmarkRequest(b *testing.B) {
	site := newSite(b, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })
	direct := &http.Client{Transport: &http.Transport{}}
	b.Cleanup(direct.CloseIdleConnections)
	w := newWorld(b, site.Listener.Addr().String(), nil)
	proxied := w.gate(b).client(b)
	for name, c := range map[string]*http.Client{"direct": direct, "proxied": proxied} {
		address := site.URL
		if name == "proxied" {
			address = "http://example.org/"
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				get(b, c, address)
			}
		})
	}
}
