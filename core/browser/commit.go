package browser

import (
	"context"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/page"
)

// Commit does the one irreversible action of register: the intent becomes
// durable, the action runs, and a sign must come. A second call is
// core.ErrCommitted, one outside of register core.ErrNoCommit.
func (p *Page) Commit(ctx context.Context, name string, action func(context.Context) error, s Signs) (Seen, error) {
	return p.commit(ctx, name, nil, s, nil, func(ctx context.Context, _ *verb) error { return action(ctx) })
}

func (p *Page) commit(ctx context.Context, name string, loc Locator, s Signs, before, action func(context.Context, *verb) error) (Seen, error) {
	return p.run(ctx, "commit", loc, ActionTime, func(ctx context.Context, v *verb) (Seen, error) {
		if p.o.Phase != core.Register {
			return Seen{}, page.ServiceError{Err: core.ErrNoCommit}
		}
		if p.commits {
			return Seen{}, page.ServiceError{Err: core.ErrCommitted}
		}
		if err := s.Check(); err != nil {
			return Seen{}, err
		}
		if name == "" {
			name = "submit"
		}
		if before != nil {
			if err := before(ctx, v); err != nil {
				return Seen{}, err
			}
		} else if err := p.settle(ctx, v, true); err != nil {
			return Seen{}, err
		}
		m, err := p.remember(ctx, v, &s)
		if err != nil {
			return Seen{}, err
		}
		p.commits = true
		if err := p.s.Services.Commit(ctx, name, nil); err != nil {
			return Seen{}, page.ServiceError{Err: err}
		}
		if err := action(ctx, v); err != nil {
			return Seen{}, err
		}
		seen, err := p.watch(ctx, v, m, s, s.Limit(CommitTime), watchOptions{status: true})
		if err != nil {
			return Seen{}, err
		}
		if err := p.s.Services.Committed(ctx, name); err != nil {
			return Seen{}, page.ServiceError{Err: err}
		}
		return seen, nil
	})
}
