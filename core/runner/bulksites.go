package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rollcall-run/rollcall/core"
)

// SetBulks replaces the bulk sites while the runner runs. A call under way is
// let end; the next one is made as the new service says.
func (r *Runner) SetBulks(all []BulkService) error {
	if len(all) > 0 && (r.o.Batches == nil || r.o.Clock == nil) {
		return errors.New("runner: no Batches or Clock for its bulk sites")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bulks = slices.Clone(all)
	close(r.rebulk)
	r.rebulk = make(chan struct{})
	return nil
}

// bulkSites are the bulk sites; changed is closed when they are replaced.
func (r *Runner) bulkSites() (all []BulkService, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bulks, r.rebulk
}

func (r *Runner) bulkSite(domain string) (BulkService, bool) {
	all, _ := r.bulkSites()
	i := slices.IndexFunc(all, func(s BulkService) bool { return s.Site.Domain == domain })
	if i < 0 {
		return BulkService{}, false
	}
	return all[i], true
}

func (r *Runner) isBulk(domain string) bool {
	_, ok := r.bulkSite(domain)
	return ok
}

// bulkTakes reports whether a task goes through calls.
func (r *Runner) bulkTakes(t core.Task) bool {
	s, ok := r.bulkSite(t.Domain)
	return ok && s.Link != nil && t.Kind != core.Connect
}

// bulkWithoutLink reports whether a domain's tasks can't be completed for want of a link.
func (r *Runner) bulkWithoutLink(domain string) bool {
	s, ok := r.bulkSite(domain)
	return ok && s.Link == nil
}

// bulking runs the loops of the bulk sites until ctx ends, and starts them anew
// when the sites are replaced.
func (r *Runner) bulking(ctx, hard context.Context) error {
	type loop struct {
		stop  context.CancelFunc
		ended chan struct{}
	}
	running := map[string]loop{}
	defer func() {
		for _, l := range running {
			l.stop()
		}
	}()
	failed := make(chan error)
	for {
		all, changed := r.bulkSites()
		for _, l := range running {
			l.stop()
		}
		for _, s := range all {
			one, stop := context.WithCancel(ctx)
			before, next := running[s.Site.Domain], loop{stop, make(chan struct{})}
			running[s.Site.Domain] = next
			// A call under way is let end, as a visit is.
			r.visited.Go(func() {
				defer close(next.ended)
				if before.ended != nil {
					<-before.ended
				}
				if err := r.bulk(one, hard, s); err != nil {
					select {
					case failed <- err:
					case <-ctx.Done():
					}
				}
			})
		}
		select {
		case err := <-failed:
			return err
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// bulk runs the calls of one site, and the visits that follow them, until ctx ends.
func (r *Runner) bulk(ctx, hard context.Context, s BulkService) error {
	b, err := NewBulk(BulkOptions{Site: s.Site, API: s.API, Store: r.o.Batches, Clock: r.o.Clock, Hard: hard, Log: r.o.Log, Redact: r.o.Redact.Redact,
		Task: r.o.Store.Task, Link: s.Link, Driver: s.Driver,
		Observe: func(n BulkNotice) {
			if n.Text != "" {
				r.notice(Notice{Domain: n.Domain, Text: n.Domain + ": " + n.Text})
			}
		}})
	if err != nil {
		return err
	}
	if s.Link != nil {
		d := &desk{r: r, s: s, hard: hard}
		b.tasks = d
		visits := make(chan error, 1)
		ctx, cancel := context.WithCancel(ctx)
		go func() { visits <- d.visits(ctx); cancel() }()
		err := r.calls(ctx, b)
		d.release()
		cancel()
		return errors.Join(err, <-visits)
	}
	return r.calls(ctx, b)
}

// calls runs b until ctx ends.
func (r *Runner) calls(ctx context.Context, b *Bulk) error {
	for ctx.Err() == nil {
		if err := b.Run(ctx); err != nil {
			if err := r.patient(ctx, "bulk", err); err != nil {
				return fmt.Errorf("bulk calls: %w", err)
			}
		}
	}
	return nil
}
