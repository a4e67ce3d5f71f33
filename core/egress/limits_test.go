package egress

import (
	"bufio"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
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
