package html

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// wires are the ways to the site. near keeps its connections to the egress port,
// which makes those to a plain HTTP site: a fresh one for each write. far keeps its
// connections through the port, for reading. once makes one for each request. None of
// them sends a write twice, nor anything else that a commit sends.
type wires struct {
	proxy           string
	near, far, once *http.Transport
}

// keptWires are the wires of visits that have no page open at the moment: the next
// phase of a visit goes on over their connections. The egress port closes them when
// the visit ends.
var keptWires = struct {
	sync.Mutex
	byProxy map[string]wires
}{byProxy: map[string]wires{}}

// mostKept is how many are kept. A worker serves one egress port.
const mostKept = 4

// takeWires returns the wires that are kept for an egress port, or new ones.
func takeWires(proxy *url.URL) wires {
	keptWires.Lock()
	defer keptWires.Unlock()
	if w, ok := keptWires.byProxy[proxy.String()]; ok {
		delete(keptWires.byProxy, proxy.String())
		return w
	}
	return newWires(proxy)
}

// keep keeps the wires for the next page.
func (w wires) keep() {
	keptWires.Lock()
	defer keptWires.Unlock()
	if old, twice := keptWires.byProxy[w.proxy]; twice {
		old.close()
	}
	for proxy, old := range keptWires.byProxy {
		if len(keptWires.byProxy) < mostKept {
			break
		}
		old.close()
		delete(keptWires.byProxy, proxy)
	}
	keptWires.byProxy[w.proxy] = w
}

func (w wires) close() {
	w.near.CloseIdleConnections()
	w.far.CloseIdleConnections()
}

func newWires(proxy *url.URL) wires {
	make := func(keep bool) *http.Transport {
		t := &http.Transport{
			Proxy:             http.ProxyURL(proxy),
			DisableKeepAlives: !keep,
			ForceAttemptHTTP2: keep,
			TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS12},
			MaxIdleConns:      8, IdleConnTimeout: 30 * time.Second, // long before the port's end of patience
			MaxResponseHeaderBytes: 256 << 10,
			OnProxyConnectResponse: func(_ context.Context, _ *url.URL, _ *http.Request, r *http.Response) error {
				if r.StatusCode == http.StatusForbidden {
					return errRefused
				}
				return nil
			},
		}
		if !keep {
			t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
		}
		return t
	}
	return wires{proxy.String(), make(true), make(true), make(false)}
}

// carry sends a request over the wire that it must take. again says that it may be
// sent a second time when a connection ends before its answer comes.
func (w wires) carry(r *http.Request, again bool) (*http.Response, error) {
	switch {
	case r.URL.Scheme == "http":
		if !again && r.Body == nil {
			// net/http sends nothing twice whose body it can't have again, an empty one too.
			r.Body = noBody{}
		}
		return w.near.RoundTrip(r)
	case again:
		return w.far.RoundTrip(r)
	}
	return w.once.RoundTrip(r)
}

// noBody is a body that ends at once, and not http.NoBody.
type noBody struct{}

func (noBody) Read([]byte) (int, error) { return 0, io.EOF }
func (noBody) Close() error             { return nil }

var errRefused = errors.New("the egress port refuses the host")
