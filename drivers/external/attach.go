//go:build linux

package external

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/plugins"
)

// attachedDriver is a driver that somebody else started, and the one turn it has.
type attachedDriver struct {
	client *plugins.Client
	turn   chan struct{}
}

// Attach makes the driver at an address of plugins.ServeUntil usable: a program
// under a debugger. It is nobody's to limit or to kill, and runs one task at a
// time. Close hangs up and lets it go on.
func (h *Host) Attach(address string) (*Plugin, error) {
	client, hangUp, err := plugins.Dial(address)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		hangUp()
		return nil, errClosed
	}
	digest := "attached to " + address
	h.hangUps = append(h.hangUps, hangUp)
	h.attached[digest] = &attachedDriver{client, make(chan struct{}, 1)}
	return &Plugin{host: h, digest: digest}, nil
}

// at is the attached driver that b means, nil for others.
func (h *Host) at(b core.Binding) *attachedDriver {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.attached[b.Digest]
}

func (a *attachedDriver) run(ctx context.Context, phase core.Phase, task core.Task, session core.Session) (core.Outcome, error) {
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return core.Outcome{}, ended(ctx, ctx.Err(), phase)
	}
	return RunAttached(ctx, a.client, phase, task, session)
}

// RunAttached runs a phase over a connection whose process is not this host's.
// Nothing but ctx limits it, and what it makes of errors is what a slot makes.
func RunAttached(ctx context.Context, c *plugins.Client, phase core.Phase, task core.Task, session core.Session) (core.Outcome, error) {
	task.Entity = task.Entity.ForDriver()
	o, err := c.Run(ctx, plugins.DriverRef{}, phase, task, session)
	if err == nil {
		if bad := o.Check(phase); bad != nil {
			return core.Outcome{}, &core.Fault{Code: core.DriverError, Phase: phase, Why: bad.Error()}
		}
		return o, nil
	}
	if over(ctx) {
		return core.Outcome{}, ended(ctx, err, phase)
	}
	if broken(err) {
		f := &core.Fault{Code: core.DriverError, Phase: phase, Why: contract("the plugin", err)}
		if c := status.Code(err); c == codes.Unavailable || c == codes.Canceled {
			f.Code, f.Why = core.Crashed, "the plugin closed its connection in the middle of a run"
		}
		return core.Outcome{}, f
	}
	return core.Outcome{}, own(err, phase)
}
