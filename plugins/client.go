package plugins

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/plugins/proto"
)

// Client is the runner's side of one plugin process. Runs follow each other;
// Manifest may be asked at any time.
type Client struct {
	done   context.Context // ends with the process
	speaks int             // version of the contract
	driver proto.DriverClient
	broker *goplugin.GRPCBroker
	gate   *servicesServer

	mu    sync.Mutex
	id    uint32          // broker id of the services, 0 before the first run
	known map[string]bool // digests that the process was given
}

var _ Host = (*Client)(nil)

func newClient(done context.Context, broker *goplugin.GRPCBroker, conn *grpc.ClientConn, version int) *Client {
	return &Client{done: done, speaks: version, driver: proto.NewDriverClient(conn), broker: broker, gate: &servicesServer{}, known: map[string]bool{}}
}

// Contract is the version of the contract that the process speaks.
func (c *Client) Contract() int { return c.speaks }

// OnLog calls f with the size in bytes of every log line of the process. It is
// set before the first Run.
func (c *Client) OnLog(f func(bytes int)) { c.gate.logged = f }

// Manifest asks the process for a driver's manifest.
func (c *Client) Manifest(ctx context.Context, ref DriverRef) (core.Manifest, error) {
	var m core.Manifest
	err := c.withSource(ref, func(pr *proto.DriverRef) error {
		r, err := c.driver.Manifest(ctx, &proto.ManifestRequest{Driver: pr})
		m = r.GetManifest().Core()
		return err
	})
	if err != nil {
		return core.Manifest{}, err
	}
	return m, nil
}

// Run does one phase in the process. It returns when the driver has stopped and
// none of its Services calls is in progress any more, which is why it outlives
// ctx: the end of ctx asks the driver to stop, and whoever owns the process
// kills it when that takes too long. An error that the driver returned is
// restored; anything else is a gRPC status, see proto.Crossed.
func (c *Client) Run(ctx context.Context, ref DriverRef, phase core.Phase, task core.Task, session core.Session) (core.Outcome, error) {
	if err := ctx.Err(); err != nil {
		return core.Outcome{}, err
	}
	pt, err := proto.FromTask(task)
	if err != nil {
		return core.Outcome{}, err
	}
	req := &proto.RunRequest{
		Run: rand.Text(), Phase: string(phase), Task: pt, Session: proto.FromSession(session), Services: c.services(),
	}
	end := c.gate.open(ctx, req.Run, session.Services)
	defer end()
	call, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(c.done, cancel)()
	defer context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return // the process has the deadline as well, and tells the two apart by it
		}
		// An error means that the process is gone, which ends the run as well.
		_, _ = c.driver.Stop(call, &proto.StopRequest{Run: req.Run})
	})()
	var o core.Outcome
	err = c.withSource(ref, func(pr *proto.DriverRef) error {
		req.Driver, req.TimeoutNs = pr, 0
		if deadline, ok := ctx.Deadline(); ok {
			req.TimeoutNs = int64(max(1, time.Until(deadline)))
		}
		r, err := c.driver.Run(call, req)
		o = r.GetOutcome().Core()
		return err
	})
	if err != nil {
		return core.Outcome{}, err
	}
	return o, nil
}

// withSource calls f with the reference, with its source only when the process
// does not have it.
func (c *Client) withSource(ref DriverRef, f func(*proto.DriverRef) error) error {
	c.mu.Lock()
	known := c.known[ref.Digest]
	c.mu.Unlock()
	for {
		pr, err := ref.pack(!known)
		if err != nil {
			return err
		}
		err = f(pr)
		restored := proto.FromStatus(err)
		if known && errors.Is(restored, proto.ErrNeedSource) {
			known = false
			continue
		}
		if err == nil || proto.Crossed(err) {
			c.mu.Lock()
			c.known[ref.Digest] = true
			c.mu.Unlock()
		}
		return restored
	}
}

// services starts serving Services over the broker, once, and returns the id.
func (c *Client) services() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.id == 0 {
		c.id = c.broker.NextId()
		go c.broker.AcceptAndServe(c.id, func(opts []grpc.ServerOption) *grpc.Server {
			s := newServer(opts)
			proto.RegisterServicesServer(s, c.gate)
			return s
		})
	}
	return c.id
}
