package runner_test

import (
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// weather is what the network can do: toxics of Toxiproxy. The first one is a fair day.
var weather = []string{
	``,
	`{"type":"latency","stream":"downstream","attributes":{"latency":20,"jitter":20}}`,
	`{"type":"bandwidth","stream":"downstream","attributes":{"rate":2}}`,                    // slow bytes
	`{"type":"slicer","stream":"upstream","attributes":{"average_size":30,"delay":300}}`,    // in crumbs
	`{"type":"reset_peer","stream":"downstream","attributes":{"timeout":0}}`,                // after the effect
	`{"type":"reset_peer","stream":"upstream","attributes":{"timeout":0}}`,                  // before it
	`{"type":"limit_data","stream":"downstream","attributes":{"bytes":150},"toxicity":0.5}`, // a truncated answer
	`{"type":"limit_data","stream":"upstream","attributes":{"bytes":200},"toxicity":0.5}`,   // a truncated request
	`{"type":"timeout","stream":"downstream","attributes":{"timeout":30}}`,                  // silence, then the end
	`{"type":"timeout","stream":"upstream","attributes":{"timeout":30}}`,
}

// network is the way to a server: a proxy for each kind of weather, of which new
// connections take the one of the day. Toxiproxy can hang when a toxic is taken off
// a connection whose other side is gone, so that no proxy ever changes.
type network struct {
	transport *http.Transport
	proxies   []string // their addresses, in the order of weather
	today     atomic.Int32
	spells    int // of bad weather; read it when changing has stopped
}

func newNetwork(t *testing.T, to string) *network {
	t.Helper()
	zerolog.SetGlobalLevel(zerolog.Disabled) // some toxics log to the standard error otherwise
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	n := &network{}
	for _, w := range weather {
		p := toxiproxy.NewProxy(server, "manager", "127.0.0.1:0", u.Host)
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Stop)
		if w != "" {
			if _, err := p.Toxics.AddToxicJson(strings.NewReader(w)); err != nil {
				t.Fatalf("%s: %v", w, err)
			}
		}
		n.proxies = append(n.proxies, p.Listen)
	}
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	n.transport = &http.Transport{MaxIdleConnsPerHost: 4, DialContext: func(ctx context.Context, kind, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, kind, n.proxies[n.today.Load()])
	}}
	return n
}

// change changes the weather until stop. A connection keeps the weather it was made
// in; the idle ones are closed at each change. After each bad spell some calls get
// through, however slow the machine is.
func (n *network) change(t *testing.T, seed uint64, arrived <-chan struct{}) (stop func()) {
	r := rand.New(rand.NewPCG(seed, 5))
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	become := func(w int) {
		n.today.Store(int32(w))
		n.transport.CloseIdleConnections()
	}
	done.Go(func() {
		for {
			become(0)
			for range 2 + r.IntN(4) {
				select {
				case <-arrived:
				case <-ctx.Done():
					return
				}
			}
			become(1 + r.IntN(len(weather)-1))
			n.spells++
			select {
			case <-time.After(time.Duration(10+r.IntN(60)) * time.Millisecond):
			case <-ctx.Done():
			}
		}
	})
	stop = func() { cancel(); done.Wait(); become(0) }
	t.Cleanup(stop)
	return stop
}
