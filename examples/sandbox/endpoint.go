package sandbox

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// endpoint is one HTTP server on loopback. Close waits for every handler and
// connection to end.
type endpoint struct {
	url    string
	server *http.Server
	cancel context.CancelFunc

	mu   sync.Mutex
	idle *sync.Cond
	busy int // connections and handlers
}

// wire is the connection that a request came over.
type wire struct {
	id       int64
	conn     net.Conn
	requests atomic.Int64
}

type wireKey struct{}

// wireOf returns the connection of r.
func wireOf(r *http.Request) *wire { return r.Context().Value(wireKey{}).(*wire) }

// reset cuts the connection with RST and ends the handler; nothing that is not
// on the wire yet will get there.
func (w *wire) reset() {
	conn := w.conn
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
	panic(http.ErrAbortHandler)
}

// hangUp closes the connection with FIN and ends the handler.
func (w *wire) hangUp() {
	conn := w.conn
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	conn.Close()
	panic(http.ErrAbortHandler)
}

var wires atomic.Int64

// listen serves h on addr, a loopback address; an empty one means any free port.
func listen(addr string, h http.Handler, cert *tls.Certificate, logger *slog.Logger) (*endpoint, error) {
	ln, err := listenLoopback(addr)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	e := &endpoint{cancel: cancel}
	e.idle = sync.NewCond(&e.mu)
	e.server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			e.count(1)
			defer e.count(-1)
			wireOf(r).requests.Add(1)
			h.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: 30 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, wireKey{}, &wire{id: wires.Add(1), conn: c})
		},
		ConnState: func(_ net.Conn, s http.ConnState) {
			switch s {
			case http.StateNew:
				e.count(1)
			case http.StateClosed, http.StateHijacked:
				e.count(-1)
			}
		},
		ErrorLog: log.New(errorLog{logger}, "", 0),
	}
	scheme := "http"
	if cert != nil {
		scheme = "https"
		e.server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*cert}, NextProtos: []string{"h2", "http/1.1"}}
	}
	e.url = scheme + "://" + ln.Addr().String()
	e.count(1)
	go func() {
		defer e.count(-1)
		var err error
		if cert != nil {
			err = e.server.ServeTLS(ln, "", "")
		} else {
			err = e.server.Serve(ln)
		}
		if !errors.Is(err, http.ErrServerClosed) {
			logger.Error("the sandbox server stopped", "url", e.url, "err", err)
		}
	}()
	return e, nil
}

// listenLoopback refuses every address that another machine could reach.
func listenLoopback(addr string) (net.Listener, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("sandbox address %q: %w", addr, err)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("sandbox address %q: only loopback addresses such as 127.0.0.1:8080 are served", addr)
	}
	ln, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("sandbox address %q: %w", addr, err)
	}
	return ln, nil
}

func (e *endpoint) count(n int) {
	e.mu.Lock()
	e.busy += n
	if e.busy == 0 {
		e.idle.Broadcast()
	}
	e.mu.Unlock()
}

func (e *endpoint) Close() error {
	e.cancel()
	err := e.server.Close()
	e.mu.Lock()
	for e.busy > 0 {
		e.idle.Wait()
	}
	e.mu.Unlock()
	return err
}

type errorLog struct{ logger *slog.Logger }

func (l errorLog) Write(p []byte) (int, error) {
	l.logger.Debug("http", "msg", string(p))
	return len(p), nil
}

// selfSigned makes a certificate for loopback and name, and the pool that trusts it.
func selfSigned(name string, now time.Time) (*tls.Certificate, *x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(30 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{name, "localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool, nil
}
