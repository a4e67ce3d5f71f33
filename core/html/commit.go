package html

import (
	"context"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/page"
)

// Commit does the one irreversible action of register: the intent becomes
// durable, the action runs, and a sign must come. A second call is
// core.ErrCommitted, one outside of register core.ErrNoCommit.
func (p *Page) Commit(ctx context.Context, name string, action func(context.Context) error, s page.Signs) (page.Seen, error) {
	return p.commit(ctx, name, nil, s, func(*verb) (func(context.Context) error, error) { return action, nil })
}

// CommitClick is Commit with a click; that the click is possible is made sure of
// before the intent becomes durable.
func (p *Page) CommitClick(ctx context.Context, loc page.Locator, s page.Signs) (page.Seen, error) {
	return p.commit(ctx, "submit", loc, s, func(v *verb) (func(context.Context) error, error) {
		n, err := p.element(v, loc, p.doc.reachable, false)
		if err != nil {
			return nil, err
		}
		todo, err := p.click(n)
		if err == nil && todo.request != nil && !p.site.Allowed(todo.request.url.String()) {
			err = p.refused(todo.request.url)
		}
		return func(ctx context.Context) error { return p.perform(ctx, todo) }, err
	})
}

func (p *Page) commit(ctx context.Context, name string, loc page.Locator, s page.Signs, plan func(*verb) (func(context.Context) error, error)) (page.Seen, error) {
	return p.run(ctx, "commit", loc, func(ctx context.Context, v *verb) (page.Seen, error) {
		if p.o.Phase != core.Register {
			return page.Seen{}, page.ServiceError{Err: core.ErrNoCommit}
		}
		if p.commits {
			return page.Seen{}, page.ServiceError{Err: core.ErrCommitted}
		}
		if err := s.Check(); err != nil {
			return page.Seen{}, err
		}
		if name == "" {
			name = "submit"
		}
		action, err := plan(v)
		if err != nil {
			return page.Seen{}, err
		}
		m, err := p.remember(&s)
		if err != nil {
			return page.Seen{}, err
		}
		p.commits = true
		if err := p.s.Services.Commit(ctx, name, nil); err != nil {
			return page.Seen{}, page.ServiceError{Err: err}
		}
		// What goes out now goes over connections of its own.
		p.wires.far.CloseIdleConnections()
		p.committing = true
		defer func() { p.committing = false }()
		signs, cancel := within(ctx, &s, page.CommitTime)
		defer cancel()
		if err := action(signs); err != nil {
			return page.Seen{}, err
		}
		seen, err := p.watch(signs, m, s)
		if err != nil {
			return page.Seen{}, err
		}
		if err := p.s.Services.Committed(ctx, name); err != nil {
			return page.Seen{}, page.ServiceError{Err: err}
		}
		return seen, nil
	})
}
