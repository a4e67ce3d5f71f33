package egress

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// Forever is a fence that never passes, for work that runs without a lease.
const Forever = time.Duration(1<<63 - 1)

// Resolver finds the addresses of a name. *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Options of a Proxy. The zero value is ready for use.
type Options struct {
	// Resolver of host names. Defaults to net.DefaultResolver.
	Resolver Resolver
	// Dial opens a TCP connection to address, which is a checked IP address and
	// a port. Defaults to a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Now is the clock of the fences. Defaults to CLOCK_BOOTTIME.
	Now func() time.Duration
	// RootCAs are trusted by Fetch. Defaults to the system's.
	RootCAs *x509.CertPool
	// Logger gets a line for each refused host. Defaults to none.
	Logger *slog.Logger
	// Timeouts that are zero take their defaults.
	Timeouts Timeouts
}

// Timeouts bound how long a peer may keep a connection waiting.
type Timeouts struct {
	Resolve time.Duration // a name; Defaults to 10s
	Connect time.Duration // to all addresses of a name; Defaults to 15s
	Header  time.Duration // the browser's request line and headers; Defaults to 10s
	Answer  time.Duration // from a request to the headers of its answer; Defaults to 2m
	Idle    time.Duration // no byte in either direction; Defaults to 5m
	Fetch   time.Duration // a whole Fetch; Defaults to 30s
}

func (t *Timeouts) fill() {
	for _, d := range []struct {
		at *time.Duration
		to time.Duration
	}{
		{&t.Resolve, 10 * time.Second}, {&t.Connect, 15 * time.Second}, {&t.Header, 10 * time.Second},
		{&t.Answer, 2 * time.Minute}, {&t.Idle, 5 * time.Minute}, {&t.Fetch, 30 * time.Second},
	} {
		if *d.at <= 0 {
			*d.at = d.to
		}
	}
}

// Proxy opens the gates of a runner's slots.
type Proxy struct {
	o Options

	mu     sync.Mutex
	gates  map[*Gate]struct{}
	closed bool
}

var _ core.Egress = (*Proxy)(nil)

// New returns a Proxy without gates.
func New(o Options) (*Proxy, error) {
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	if o.Now == nil {
		o.Now = bootTime
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Timeouts.fill()
	if now := o.Now(); now < 0 || now == Forever {
		return nil, errors.New("this system has no clock for the egress fence (CLOCK_BOOTTIME)")
	}
	return &Proxy{o: o, gates: map[*Gate]struct{}{}}, nil
}

// Now is the clock of the fences.
func (p *Proxy) Now() time.Duration { return p.o.Now() }

// Open makes a gate on a loopback port of its own. It admits nothing until
// both Admit and Until were called.
func (p *Proxy) Open(ctx context.Context) (core.Gate, error) {
	g, err := p.open(ctx)
	if err != nil {
		return nil, err
	}
	return g, nil
}

func (p *Proxy) open(ctx context.Context) (*Gate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errors.New("the egress proxy is closed")
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open an egress port on 127.0.0.1: %w", err)
	}
	g := newGate(p, l)
	p.gates[g] = struct{}{}
	return g, nil
}

func (p *Proxy) forget(g *Gate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.gates, g)
}

// Close closes every gate.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	var all []*Gate
	for g := range p.gates {
		all = append(all, g)
	}
	p.mu.Unlock()
	var errs []error
	for _, g := range all {
		errs = append(errs, g.Close())
	}
	return errors.Join(errs...)
}
