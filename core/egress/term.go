package egress

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxRefused = 50
	maxNames   = 256              // resolved names that a term remembers
	nameFor    = 30 * time.Second // how long a checked answer is used
)

// term is what a gate holds between an Admit and the Shut after it.
type term struct {
	gate  *Gate
	rules rules
	ctx   context.Context // ends with the term
	stop  context.CancelFunc

	reads  atomic.Pointer[http.Transport] // GET and HEAD; replaced by dropIdle
	writes *http.Transport                // the rest: a fresh connection each, never tried again

	mu      sync.Mutex
	sites   map[*upstream]struct{}
	flows   map[*flow]struct{}
	tunnels map[*tunnel]struct{}
	names   map[string]name
	refused []string
	sent    int // what Writes counts
}

// name is a host's checked addresses.
type name struct {
	addrs   []netip.Addr
	private bool
	until   time.Duration
}

func newTerm(g *Gate, r rules) *term {
	t := &term{
		gate: g, rules: r,
		sites: map[*upstream]struct{}{}, flows: map[*flow]struct{}{},
		tunnels: map[*tunnel]struct{}{}, names: map[string]name{},
	}
	t.ctx, t.stop = context.WithCancel(context.Background())
	t.reads.Store(t.transport(false))
	t.writes = t.transport(true)
	return t
}

// transport speaks plain HTTP/1.1 to the site. A fresh one uses each connection
// for one request, which net/http then never sends a second time.
func (t *term) transport(fresh bool) *http.Transport {
	o := t.gate.proxy.o.Timeouts
	return &http.Transport{
		DialContext:            t.dial,
		DisableKeepAlives:      fresh,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    8,
		MaxConnsPerHost:        32,
		IdleConnTimeout:        min(o.Idle, time.Minute),
		ResponseHeaderTimeout:  o.Answer,
		MaxResponseHeaderBytes: 256 << 10,
	}
}

// open says why nothing may be forwarded now, nil when something may.
func (t *term) open() error {
	if t.ctx.Err() != nil {
		return errShut
	}
	if fence := time.Duration(t.gate.fence.Load()); fence != Forever && t.gate.proxy.o.Now() >= fence {
		return errFenced
	}
	return nil
}

// refuse records what was refused, and returns it as an error.
func (t *term) refuse(host string, port uint16, why string) error {
	err := &refusal{host: readable(host), why: why}
	if port != 80 && port != 443 {
		err.host = net.JoinHostPort(err.host, itoa(port))
	}
	line := err.Error()
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.refused) < maxRefused && !slices.Contains(t.refused, line) {
		t.refused = append(t.refused, line)
		t.gate.proxy.o.Logger.Debug("egress refused", "host", err.host, "why", why)
	}
	return err
}

// refusal is a host that the rules don't admit.
type refusal struct{ host, why string }

func (e *refusal) Error() string { return e.host + ": " + e.why }

// readable replaces what does not belong in a host's name: it came from a page.
func readable(host string) string {
	b := []byte(host[:min(len(host), 253)])
	for i, c := range b {
		if c <= ' ' || c >= 0x7f {
			b[i] = '?'
		}
	}
	return string(b)
}

func (t *term) listRefused() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.refused)
}

// dial opens a checked, fenced connection to "host:port".
func (t *term) dial(ctx context.Context, network, hostport string) (net.Conn, error) {
	host, port, ok := splitTarget(hostport, 0)
	if !ok {
		return nil, fmt.Errorf("%q is not host:port", readable(hostport))
	}
	private, why := t.rules.admit(host, port)
	if why != "" {
		return nil, t.refuse(host, port, why)
	}
	if err := t.open(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(t.ctx, cancel)()
	addrs, err := t.resolve(ctx, host, port, private)
	if err != nil {
		return nil, err
	}
	limit := t.gate.proxy.o.Timeouts.Connect
	ctx, stop := context.WithTimeout(ctx, limit)
	defer stop()
	for i, a := range addrs {
		try, cancel := ctx, context.CancelFunc(func() {})
		if i < len(addrs)-1 {
			try, cancel = context.WithTimeout(ctx, min(limit/2, 3*time.Second))
		}
		var c net.Conn
		c, err = t.gate.proxy.o.Dial(try, "tcp", netip.AddrPortFrom(a, port).String())
		cancel()
		if err == nil {
			return t.adopt(c)
		}
	}
	return nil, err
}

// resolve returns the checked addresses of host. One forbidden address refuses
// the whole answer.
func (t *term) resolve(ctx context.Context, host string, port uint16, private bool) ([]netip.Addr, error) {
	now := t.gate.proxy.o.Now()
	t.mu.Lock()
	n, known := t.names[host]
	t.mu.Unlock()
	if known && n.private == private && now < n.until {
		return n.addrs, nil
	}
	addrs := []netip.Addr{}
	if a, err := netip.ParseAddr(host); err == nil {
		addrs = append(addrs, a)
	} else {
		ctx, cancel := context.WithTimeout(ctx, t.gate.proxy.o.Timeouts.Resolve)
		defer cancel()
		if addrs, err = t.gate.proxy.o.Resolver.LookupNetIP(ctx, "ip", host); err != nil {
			return nil, fmt.Errorf("resolve %s: %w", host, err)
		}
	}
	if len(addrs) == 0 {
		return nil, fmt.Errorf("resolve %s: no addresses", host)
	}
	for i, a := range addrs {
		if why := forbidden(a, private); why != "" {
			return nil, t.refuse(host, port, "resolves to "+why)
		}
		addrs[i] = a.Unmap()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.names) >= maxNames {
		clear(t.names)
	}
	t.names[host] = name{addrs: addrs, private: private, until: now + nameFor}
	return addrs, nil
}

// countWrites is Gate.Writes.
func (t *term) countWrites() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	for u := range t.tunnels {
		u.counted.Store(false)
	}
	return t.sent
}

func (t *term) countSent() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent++
}

// dropIdle is Gate.DropIdle.
func (t *term) dropIdle() {
	// Connections of the old transport that are in use close when they come to rest.
	t.reads.Swap(t.transport(false)).CloseIdleConnections()
	t.mu.Lock()
	all := make([]*tunnel, 0, len(t.tunnels))
	for u := range t.tunnels {
		all = append(all, u)
	}
	t.mu.Unlock()
	for _, u := range all {
		u.retire()
	}
}

// cut closes every connection to the site and breaks off what was on its way.
// The term goes on: after a later Until new requests pass.
func (t *term) cut() {
	t.mu.Lock()
	sites := make([]*upstream, 0, len(t.sites))
	for u := range t.sites {
		sites = append(sites, u)
	}
	flows := make([]*flow, 0, len(t.flows))
	for f := range t.flows {
		flows = append(flows, f)
	}
	tunnels := make([]*tunnel, 0, len(t.tunnels))
	for u := range t.tunnels {
		tunnels = append(tunnels, u)
	}
	t.mu.Unlock()
	for _, u := range sites {
		u.reset()
	}
	for _, u := range tunnels {
		u.close()
	}
	for _, f := range flows {
		f.abort()
	}
}

// end is cut, for good.
func (t *term) end() {
	t.stop()
	t.cut()
	t.reads.Load().CloseIdleConnections()
	t.writes.CloseIdleConnections()
}
