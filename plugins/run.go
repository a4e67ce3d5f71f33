package plugins

import (
	"context"

	"github.com/rollcall-run/rollcall/core"
)

// Run is the phase that a driver is asked for.
type Run struct {
	Phase    core.Phase
	Task     core.Task
	Manifest core.Manifest // the driver's
}

type runKey struct{}

// WithRun returns a context that carries r. Serve gives one to the driver's Run,
// and browser.Attach reads it; a test that calls a driver itself makes its own.
func WithRun(ctx context.Context, r Run) context.Context {
	return context.WithValue(ctx, runKey{}, r)
}

// RunOf is the run that ctx carries, false when it carries none.
func RunOf(ctx context.Context) (Run, bool) {
	r, ok := ctx.Value(runKey{}).(Run)
	return r, ok
}
