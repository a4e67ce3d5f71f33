package browser

import (
	"context"
	"fmt"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/plugins"
)

// Phases are the functions of a driver; the phases it has are those present.
type Phases map[core.Phase]func(page *Page, task Task) core.Outcome

// New makes the driver that runs phases, each on a page of its own. The
// manifest's phases are the functions present.
func New(m core.Manifest, phases Phases) core.Driver {
	m.Phases = nil
	for _, p := range core.Phases {
		if phases[p] != nil {
			m.Phases = append(m.Phases, p)
		}
	}
	return driver{m, phases}
}

type driver struct {
	manifest core.Manifest
	phases   Phases
}

func (d driver) Manifest() core.Manifest { return d.manifest }

func (d driver) Run(ctx context.Context, phase core.Phase, task core.Task, session core.Session) (core.Outcome, error) {
	f := d.phases[phase]
	if f == nil || !d.manifest.Has(phase) {
		return core.Outcome{}, fmt.Errorf("%s %s: %w", d.manifest.Name, phase, core.ErrNoPhase)
	}
	page := Attach(plugins.WithRun(ctx, plugins.Run{Phase: phase, Task: task, Manifest: d.manifest}), session)
	defer page.Close()
	if err := page.Err(); err != nil {
		return core.Outcome{}, err
	}
	return page.Finish(f(page, page.Task()))
}
