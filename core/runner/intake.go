package runner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// listing pulls tasks. One runner of a fleet lists at a time. A full page is followed
// by one twice as large: tasks that can't be run, or not yet, stay at the head of the
// list. Behind the largest page nothing can be seen before some of it have begun.
func (r *Runner) listing(ctx context.Context) error {
	limit := r.o.Limits.ListLimit
	said := ""
	changed, cancel := r.o.Store.Subscribe()
	defer cancel()
	for failures := 0; ctx.Err() == nil; {
		wait := r.o.Limits.Poll
		if left := r.pausing.left(); left > 0 {
			if r.o.Once {
				return errKey
			}
			wait = left
		} else if mine, err := r.o.Store.TakeList(ctx, r.o.Owner, 2*r.o.Limits.Poll+r.o.Limits.Lease); err != nil {
			if err := r.patient(ctx, "list", err); err != nil {
				return err
			}
			continue
		} else if mine {
			before := false // nothing was left to do when the list was asked for
			if r.o.Once {
				if before, err = r.quiet(ctx); err != nil {
					if err := r.patient(ctx, "list", err); err != nil {
						return err
					}
					continue
				}
			}
			page, err := r.o.Manager.List(ctx, limit)
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				failures++
				if wait, err = r.listFailed(err, failures); err != nil {
					return err
				}
			} else {
				r.pausing.end()
				failures = 0
				r.appetite.sated()
				fresh, err := r.take(ctx, page, limit)
				if err != nil {
					if err := r.patient(ctx, "list", err); err != nil {
						return err
					}
					continue
				}
				full := len(page.Tasks)+len(page.Unread) >= limit
				switch {
				case full && limit < MaxList:
					limit = min(limit*2, MaxList)
					continue // there may be more behind, for other sites
				case full && fresh == 0:
					said = r.sayStuck(said)
				}
				if fresh == 0 && r.o.Once {
					done, err := r.quiet(ctx)
					if err != nil {
						return err
					}
					if done && before {
						return errDone
					}
					if done {
						limit = r.o.Limits.ListLimit
						continue // a report that was settled meanwhile may have queued its task anew
					}
				}
				limit = r.o.Limits.ListLimit
			}
		}
		if r.o.Once {
			// What may end the run is a change of ours, not the clock.
			if err := r.untilQuiet(ctx, wait, changed); err != nil {
				return err
			}
		} else {
			t := time.NewTimer(wait)
			select {
			case <-r.appetite.hungry:
			case <-t.C:
			case <-ctx.Done():
			}
			t.Stop()
		}
	}
	return nil
}

// errKey ends a run with Options.Once, which has nobody to wait for.
var errKey = errors.New("the task manager does not accept the API key; mend [entity] api_key")

// listFailed says how long to wait after a list that failed.
func (r *Runner) listFailed(err error, failures int) (time.Duration, error) {
	var auth *core.AuthError
	if errors.As(err, &auth) {
		r.unauthorized(err)
		if r.o.Once {
			return 0, errKey
		}
		return r.pausing.left(), nil
	}
	wait := r.o.Limits.Poll << min(failures-1, 5)
	var transient *core.TransientError
	if errors.As(err, &transient) {
		wait = max(wait, transient.RetryAfter)
	}
	wait = min(max(wait, time.Millisecond), 10*time.Minute)
	r.o.Log.Warn("the list failed", "err", r.line(err.Error()), "again_in", wait.String())
	r.notice(Notice{Text: "the list failed: " + err.Error()})
	if r.o.Once && failures >= r.o.Limits.Attempts {
		return 0, fmt.Errorf("the task manager gave no list %d times: %w", failures, err)
	}
	return wait, nil
}

// take admits what can be run and counts what can't. It returns how many tasks were new.
func (r *Runner) take(ctx context.Context, page core.Listing, limit int) (int, error) {
	for _, w := range page.Warnings {
		r.o.Log.Warn("the list is odd", "what", r.line(w))
	}
	for _, u := range page.Unread {
		r.o.Log.Error("a task of the list can't be read; it is left alone", "index", u.Index, "task", r.line(u.ID), "why", r.line(u.Why))
	}
	held := map[string]HeldBack{}
	var run []core.Task
	for _, l := range page.Tasks {
		if l.Task.Kind == core.Connect {
			off, err := r.connectOff(ctx)
			if err != nil {
				return 0, err
			}
			if off {
				continue
			}
		}
		if r.bulkTakes(l.Task) {
			run = append(run, l.Task)
			continue
		}
		if r.bulkWithoutLink(l.Task.Domain) {
			h := held[l.Task.Domain]
			h.Tasks++
			h.Allowed, h.Reason, h.Command = true, "the address of a profile made by its bulk API is not known", fmt.Sprintf("set [hoola.%q] profile_url", l.Task.Domain)
			held[l.Task.Domain] = h
			continue
		}
		if _, err := r.o.Catalog.Lookup(l.Task.Domain); err != nil {
			var no *core.NoBinding
			if !errors.As(err, &no) {
				return 0, err
			}
			h := held[l.Task.Domain]
			h.Tasks++
			h.Allowed, h.Reason, h.Command = no.Allowed, no.Reason, no.Command
			held[l.Task.Domain] = h
			continue
		}
		run = append(run, l.Task)
	}
	if n := len(page.Tasks) + len(page.Unread); n >= limit {
		r.appetite.served(n, len(run))
	}
	known, err := r.o.Store.Look(ctx, run)
	if err != nil {
		return 0, err
	}
	var admit []core.Task
	for _, t := range run {
		if k, ok := known[t.ID]; ok {
			if !k.State.Final() || time.Now().Before(r.again(k)) {
				continue
			}
			if t, ok = r.reread(ctx, t); !ok {
				continue
			}
		}
		admit = append(admit, t)
	}
	fresh := 0
	admitted, err := r.o.Store.Admit(ctx, admit, time.Now())
	if err != nil {
		return 0, fmt.Errorf("admit tasks: %w", err)
	}
	for i, t := range admit {
		switch a := admitted[i]; {
		case a.Err != nil:
			r.o.Log.Error("a task of the list can't be taken up; it is left alone", "task", r.line(t.ID), "domain", t.Domain, "why", r.line(a.Err.Error()))
		case a.OK:
			fresh++
			r.o.Log.Info("listed", "task", t.ID, "domain", t.Domain, "kind", string(t.Kind))
			r.mu.Lock()
			r.tally.Tasks[t.ID] = core.Ready
			r.mu.Unlock()
			r.notice(Notice{Task: t.ID, Domain: t.Domain, State: core.Ready})
		}
	}
	r.mu.Lock()
	r.tally.HeldBack, r.tally.Listed = held, len(page.Tasks)
	r.mu.Unlock()
	return fresh, nil
}

// reread reads a task that came back after it had ended here: the list may be
// older than our own report. It is taken up only if it waits for a start now.
func (r *Runner) reread(ctx context.Context, t core.Task) (core.Task, bool) {
	l, err := r.o.Manager.Get(ctx, t.ID)
	if err != nil {
		if !errors.Is(err, core.ErrGone) && ctx.Err() == nil {
			r.unauthorized(err)
			r.o.Log.Warn("a task that came back can't be read; it is looked at again with the next list", "task", t.ID, "err", r.line(err.Error()))
		}
		return t, false
	}
	return l.Task, r.startable(l.Task.Kind, l.Status)
}

// again is when a task that ended may be taken up again. One that was dropped or
// overtaken is listed again at once by a slow server: it waits longer each time.
func (r *Runner) again(k core.Known) time.Time {
	if k.State == core.Reported {
		return k.Updated
	}
	wait := r.o.Limits.BackoffMin << min(k.Round, 12)
	return k.Updated.Add(min(wait, r.o.Limits.BackoffMax))
}

// sayStuck tells the operator, once per picture, that the whole list can't be run.
func (r *Runner) sayStuck(before string) string {
	held := r.Tally().HeldBack
	if len(held) == 0 {
		return "" // all can be run, in their turn
	}
	var parts []string
	for _, domain := range slices.Sorted(maps.Keys(held)) {
		parts = append(parts, fmt.Sprintf("%s %d", domain, held[domain].Tasks))
		if len(parts) == 20 {
			break
		}
	}
	now := fmt.Sprint(parts)
	if now != before {
		r.o.Log.Warn("the list is full of tasks that can't be run here; `rollcall plan` and `rollcall which DOMAIN` say why", "tasks_by_domain", now)
	}
	return now
}

// quiet reports whether nothing is under way and nothing falls due within Options.Wait.
func (r *Runner) quiet(ctx context.Context) (bool, error) {
	if r.busy() > 0 || r.reports.busy() > 0 {
		return false, nil
	}
	horizon := time.Now().Add(r.o.Wait)
	due, err := r.o.Store.NextDue(ctx, r.o.Owner)
	if err != nil {
		return false, fmt.Errorf("look for what is due: %w", err)
	}
	if !due.IsZero() && due.Before(horizon) {
		return false, nil
	}
	due, err = r.o.Store.NextReport(ctx)
	if err != nil {
		return false, fmt.Errorf("look for reports: %w", err)
	}
	if !due.IsZero() && !due.After(horizon) {
		return false, nil
	}
	quiet, err := r.bulkQuiet(ctx, horizon)
	return quiet && r.busy() == 0 && r.reports.busy() == 0, err
}

// untilQuiet waits until there may be nothing left to do, at most for wait.
func (r *Runner) untilQuiet(ctx context.Context, wait time.Duration, changed <-chan struct{}) error {
	t := time.NewTimer(wait)
	defer t.Stop()
	for {
		select {
		case <-r.appetite.hungry:
			return nil
		case <-changed:
		case <-r.left:
		case <-r.reports.ended:
		case <-t.C:
			return nil
		case <-ctx.Done():
			return nil
		}
		done, err := r.quiet(ctx)
		if err != nil && ctx.Err() == nil {
			return err
		}
		if done {
			return nil
		}
	}
}

func (r *Runner) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
