package runner_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// contexts records in which browser context each task's phases ran.
type contexts struct {
	mu   sync.Mutex
	seen map[string]string // by task: "1", or "1 2" where another one followed
}

type act func(ctx context.Context, p core.Phase, t core.Task, ses core.Session) (core.Outcome, error, bool)

// watch makes the site record them; do, which may be nil, acts instead of the
// obedient driver where it wants to.
func (c *contexts) watch(s *site, do act) {
	c.seen = map[string]string{}
	last := map[string]string{}
	s.phase = func(ctx context.Context, p core.Phase, t core.Task, ses core.Session) (core.Outcome, error, bool) {
		c.mu.Lock()
		if had, now := last[t.ID], ses.ContextID; had == "" {
			c.seen[t.ID] = now
		} else if had != now {
			c.seen[t.ID] += " " + now
		}
		last[t.ID] = ses.ContextID
		c.mu.Unlock()
		if do == nil {
			return core.Outcome{}, nil, false
		}
		return do(ctx, p, t, ses)
	}
}

func (c *contexts) want(t *testing.T, want map[string]string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, ctx := range want {
		if c.seen[id] != ctx {
			t.Errorf("%s ran in the contexts %q, want %q", id, c.seen[id], ctx)
		}
	}
}

// reuseHouse has one slot, and a site that reuses its contexts.
func reuseHouse(t *testing.T, tasks int) (*house, *contexts) {
	h := newHouse(t, sandbox.Options{})
	h.opts.Slots = 1
	h.site.reuse = true
	c := &contexts{}
	c.watch(h.site, nil)
	for i := range tasks {
		h.add(task(fmt.Sprint("t", i+1)))
	}
	return h, c
}

// profiled checks the tasks, and that no browser context is left.
func (h *house) profiled(ids ...string) {
	h.t.Helper()
	for _, id := range ids {
		if got := h.status(id); got != sandbox.StateProfiled {
			h.t.Errorf("%s is %s", id, got)
		}
	}
	h.site.mu.Lock()
	defer h.site.mu.Unlock()
	if h.site.pages != 0 {
		h.t.Errorf("%d browser contexts are left", h.site.pages)
	}
}

func TestAPageIsKeptForTheNextTaskOfItsSite(t *testing.T) {
	h, c := reuseHouse(t, 5)
	h.opts.Limits.ReuseTasks = 3
	h.run()
	h.profiled("t1", "t2", "t3", "t4", "t5")
	c.want(t, map[string]string{"t1": "1", "t2": "1", "t3": "1", "t4": "2", "t5": "2"})
	if h.site.opened != 2 {
		t.Errorf("%d contexts were opened, want 2", h.site.opened)
	}
}

func TestWithoutReuseEachTaskHasItsOwnPage(t *testing.T) {
	h, c := reuseHouse(t, 3)
	h.site.reuse = false
	h.run()
	h.profiled("t1", "t2", "t3")
	c.want(t, map[string]string{"t1": "1", "t2": "2", "t3": "3"})
}

// TestAPageIsNotKept after anything but a plain success, nor for anything but
// the same work.
func TestAPageIsNotKept(t *testing.T) {
	in := func(s *site, do func()) {
		s.mu.Lock()
		defer s.mu.Unlock()
		do()
	}
	for _, c := range []struct {
		name   string
		change func(*house, *contexts)
		status string // of t1 at the end
	}{
		{"that can't be cleaned", func(h *house, _ *contexts) {
			h.site.clean = func(context.Context, *page) error { return errors.New("something stayed") }
		}, sandbox.StateProfiled},
		{"whose cleaning does not end", func(h *house, _ *contexts) {
			h.opts.Limits.Clean = time.Millisecond
			h.site.clean = func(ctx context.Context, _ *page) error {
				<-ctx.Done()
				return ctx.Err()
			}
		}, sandbox.StateProfiled},
		{"that crashed while it waited", func(h *house, _ *contexts) {
			h.site.clean = func(_ context.Context, p *page) error {
				close(p.dead)
				return nil
			}
		}, sandbox.StateProfiled},
		{"of a task that was refused", func(h *house, c *contexts) {
			c.watch(h.site, func(_ context.Context, p core.Phase, t core.Task, _ core.Session) (core.Outcome, error, bool) {
				return core.Outcome{Status: core.Rejected, Code: core.InvalidInput, Reason: "no"}, nil, t.ID == "t1" && p == core.Register
			})
		}, sandbox.StateRegisterFailed},
		{"of a phase that broke", func(h *house, c *contexts) {
			h.opts.Limits.Attempts = 1
			c.watch(h.site, func(_ context.Context, p core.Phase, t core.Task, _ core.Session) (core.Outcome, error, bool) {
				return core.Outcome{}, errBroken, t.ID == "t1" && p == core.Profile
			})
		}, sandbox.StateProfileFailed},
		{"that a person was asked about", func(h *house, c *contexts) {
			c.watch(h.site, func(ctx context.Context, p core.Phase, t core.Task, ses core.Session) (core.Outcome, error, bool) {
				if t.ID != "t1" || p != core.Profile {
					return core.Outcome{}, nil, false
				}
				over, cancel := context.WithCancel(ctx)
				cancel() // nobody is needed any more
				ses.Services.Human(over, core.Ask{Kind: core.AskAnswer, Code: core.OTPSMS, Say: "the code"})
				return core.Outcome{}, nil, false
			})
		}, sandbox.StateProfiled},
		{"for another version of the driver", func(h *house, c *contexts) {
			c.watch(h.site, func(_ context.Context, p core.Phase, t core.Task, _ core.Session) (core.Outcome, error, bool) {
				if t.ID == "t1" && p == core.Profile {
					in(h.site, func() { h.site.digest = "d2" })
				}
				return core.Outcome{}, nil, false
			})
		}, sandbox.StateProfiled},
		{"once the site says so no more", func(h *house, c *contexts) {
			c.watch(h.site, func(_ context.Context, p core.Phase, t core.Task, _ core.Session) (core.Outcome, error, bool) {
				if t.ID == "t1" && p == core.Profile {
					in(h.site, func() {
						h.site.clean = func(context.Context, *page) error { in(h.site, func() { h.site.reuse = false }); return nil }
					})
				}
				return core.Outcome{}, nil, false
			})
		}, sandbox.StateProfiled},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, seen := reuseHouse(t, 2)
			c.change(h, seen)
			h.run()
			if got := h.status("t1"); got != c.status {
				t.Errorf("t1 is %s, want %s", got, c.status)
			}
			h.profiled("t2")
			seen.want(t, map[string]string{"t1": "1", "t2": "2"})
		})
	}
}

// TestAKeptPageDoesNotWaitForEver: its slot stays idle, and it is closed.
func TestAKeptPageDoesNotWaitForEver(t *testing.T) {
	h, c := reuseHouse(t, 1)
	h.opts.Once, h.opts.Limits.ReuseIdle = false, time.Millisecond
	closed := make(chan struct{}, 10)
	h.site.closed = func(*page) { closed <- struct{}{} }
	stop := h.background()
	<-closed
	h.waitState("t1", core.Reported)
	h.add(task("t2"))
	<-closed
	h.waitState("t2", core.Reported)
	stop()
	h.profiled("t1", "t2")
	c.want(t, map[string]string{"t1": "1", "t2": "2"})
}

// TestALostLeaseEndsThePage: a runner that slept past its leases closes the page
// of the task that it had, and uses none again that it kept before.
func TestALostLeaseEndsThePage(t *testing.T) {
	for _, lost := range []string{"while a task has it", "while it waits"} {
		t.Run(lost, func(t *testing.T) {
			h, c := reuseHouse(t, 1)
			h.opts.Once, h.opts.Limits.Heartbeat = false, 50*time.Millisecond
			joined := &joins{Store: h.store, again: make(chan struct{}, 10)}
			h.opts.Store = joined
			sleep := func() {
				if err := h.store.Leave(h.t.Context(), h.opts.Owner); err != nil {
					h.t.Error(err)
				}
			}
			var cleaned []string
			h.site.clean = func(_ context.Context, p *page) error {
				cleaned = append(cleaned, p.id)
				return nil
			}
			slept := false
			c.watch(h.site, func(ctx context.Context, p core.Phase, t core.Task, _ core.Session) (core.Outcome, error, bool) {
				if lost == "while it waits" || slept || p != core.Profile {
					return core.Outcome{}, nil, false
				}
				slept = true
				sleep()
				<-ctx.Done() // the heartbeat tells
				return core.Outcome{}, ctx.Err(), true
			})
			stop := h.background()
			<-joined.again
			want := map[string]string{"t1": "1 2", "t2": "2"}
			if lost == "while it waits" {
				h.waitState("t1", core.Reported)
				sleep()
				want = map[string]string{"t1": "1", "t2": "2"}
			}
			<-joined.again
			h.waitState("t1", core.Reported)
			h.add(task("t2"))
			h.waitState("t2", core.Reported)
			stop()
			h.profiled("t1", "t2")
			c.want(t, want)
			if lost == "while a task has it" && slices.Contains(cleaned, "1") {
				t.Error("the page of the lost lease was cleaned, not closed")
			}
		})
	}
}

// joins tells of each registration.
type joins struct {
	core.Store
	again chan struct{}
}

func (j *joins) Join(ctx context.Context, owner string, lease time.Duration) error {
	err := j.Store.Join(ctx, owner, lease)
	if err == nil {
		j.again <- struct{}{}
	}
	return err
}
