package runner_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// simWorld is everything outside the runners of one simulated life: the task
// manager, the site and people. What it decides depends on the seed, on what is
// asked and on how often it was asked before, not on who comes first.
type simWorld struct {
	seed uint64

	mu       sync.Mutex
	calm     bool // nothing fails any more
	asked    map[string]uint64
	tasks    map[string]*simTask
	order    []string
	accounts map[string]*simAccount // by user name
	coming   int                    // sign-ups that the site commits late, tasks that will be queued again
	jump     time.Duration          // the error of the ledger's clock
	wrong    []string               // what no run may do
	story    []string               // what happened, for a replay
	count    simCount
	manifest core.Manifest
	onExists string
	reuse    bool // browser contexts serve several tasks
}

// simCount says whether enough happened.
type simCount struct {
	Tasks, Submits, Unanswered, Second, Crashes, Pauses, Jumps, Edits, Requeues, Stale, Lost, People, Reports, Reused int
}

// simTask is a task as the task manager has it.
type simTask struct {
	task    core.Task
	status  string
	views   []simView // what a slow list may still show
	gone    bool
	touched bool // a person changed its state: what it ends as is theirs
	retries int
	started int // starts that took effect
	ended   int // reports that took effect
	open    int // starts without a report
	report  core.Report
	submits []simSubmit
}

type simView struct {
	at     time.Time
	status string
}

// simSubmit is one sign-up that left for the site.
type simSubmit struct {
	user     string
	at       time.Time
	answered bool // the driver saw the site's answer
	absent   bool // proved, by the site or by a person, to have come to nothing
}

type simAccount struct {
	password string
	email    string
	task     string // empty: a stranger's, or from before
	profile  bool
}

const (
	simDomain = "site.test"
	simSettle = time.Minute
)

// roll is a source of chance for the nth time that something is asked.
func (w *simWorld) roll(parts ...any) *rand.Rand {
	key := fmt.Sprint(parts...)
	n := w.asked[key]
	w.asked[key] = n + 1
	h := fnv.New64a()
	fmt.Fprint(h, key, " ", n)
	return rand.New(rand.NewPCG(w.seed, h.Sum64()))
}

// pick is roll for callers that do not hold the lock.
func (w *simWorld) pick(parts ...any) *rand.Rand {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.roll(parts...)
}

func (w *simWorld) violation(format string, args ...any) {
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
	w.tell("VIOLATION "+format, args...)
}

func (w *simWorld) tell(format string, args ...any) {
	if simVerbose() {
		w.story = append(w.story, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
	}
}

func (t *simTask) set(status string) {
	t.status = status
	t.views = append(t.views, simView{time.Now(), status})
}

func (t *simTask) waits() bool { return t.status == "register" || t.status == "connect" }

func (t *simTask) final() bool {
	return t.gone || !t.waits() && t.status != "registering" && t.status != "connecting"
}

// simAway sleeps for at most d; an error says that ctx ended first.
func simAway(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func upTo(r *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(r.Int64N(int64(most)))
}

// call makes one call to the task manager, with its faults. effect runs under
// the lock, once, where the call arrives at all.
func (w *simWorld) call(ctx context.Context, name, id string, effect func() error) error {
	w.mu.Lock()
	r := w.roll("call", name, id)
	calm := w.calm
	w.mu.Unlock()
	kind := r.IntN(16)
	if calm {
		kind = 15
	}
	lost := func(err string) error {
		return &core.TransientError{Call: name, Ambiguous: true, Err: errors.New(err)}
	}
	run := func() error {
		w.mu.Lock()
		defer w.mu.Unlock()
		err := effect()
		w.tell("manager: %s %s: %v", name, id, err)
		return err
	}
	if err := simAway(ctx, time.Millisecond+upTo(r, 300*time.Millisecond)); err != nil {
		return lost("cancelled")
	}
	if kind < 5 {
		w.mu.Lock()
		w.count.Lost++
		w.mu.Unlock()
	}
	switch kind {
	case 0:
		return lost("the connection was reset before the call arrived")
	case 1:
		run()
		return lost("the answer was lost")
	case 2:
		return &core.TransientError{Call: name, RetryAfter: upTo(r, time.Minute), Err: errors.New("429")}
	case 3: // slow: the caller may have gone when it takes effect
		late, err := make(chan struct{}), error(nil)
		takes := upTo(r, 80*time.Second)
		w.mu.Lock()
		w.coming++
		w.mu.Unlock()
		time.AfterFunc(takes, func() {
			err = run()
			w.mu.Lock()
			w.coming--
			w.mu.Unlock()
			close(late)
		})
		select {
		case <-late:
			return err
		case <-ctx.Done():
			return lost("timed out")
		}
	case 4:
		if r.IntN(8) == 0 {
			return &core.AuthError{Status: 401, Message: "key"}
		}
		return lost("500")
	}
	return run()
}

func (w *simWorld) list(ctx context.Context, limit int) (core.Listing, error) {
	var out core.Listing
	err := w.call(ctx, "list", "", func() error {
		r := w.roll("view")
		now := time.Now()
		if !w.calm && r.IntN(3) == 0 {
			now = now.Add(-upTo(r, 2*time.Minute))
			w.count.Stale++
		}
		for _, id := range w.order {
			t, status := w.tasks[id], ""
			for _, v := range t.views {
				if !v.at.After(now) {
					status = v.status
				}
			}
			if (status == "register" || status == "connect") && len(out.Tasks) < limit {
				out.Tasks = append(out.Tasks, core.Listed{Task: t.task, Status: status})
			}
		}
		return nil
	})
	return out, err
}

func (w *simWorld) get(ctx context.Context, id string) (core.Listed, error) {
	var out core.Listed
	err := w.call(ctx, "get", id, func() error {
		t := w.tasks[id]
		if t.gone {
			return core.ErrGone
		}
		out = core.Listed{Task: t.task, Status: t.status}
		return nil
	})
	return out, err
}

func (w *simWorld) start(ctx context.Context, id string) error {
	w.mu.Lock()
	before := w.tasks[id].retries
	w.mu.Unlock()
	return w.call(ctx, "start", id, func() error {
		t := w.tasks[id]
		switch {
		case t.gone:
			return core.ErrGone
		case t.retries != before:
			// It hung in the air until the task had ended and was queued again. Without
			// a word of the server's nobody could tell that start from a later one.
			return &core.Refusal{Call: "start", Status: 409, Message: "too late"}
		case !t.waits():
			return &core.Refusal{Call: "start", Status: 409, Message: "it is " + t.status}
		}
		t.started++
		t.open++
		t.set(map[string]string{"register": "registering", "connect": "connecting"}[t.status])
		return nil
	})
}

// report is complete and fail.
func (w *simWorld) report(ctx context.Context, id string, rep core.Report) error {
	name := "fail"
	if rep.Complete {
		name = "complete"
	}
	w.mu.Lock()
	before := w.tasks[id].retries
	w.mu.Unlock()
	return w.call(ctx, name, id, func() error {
		t := w.tasks[id]
		if t.retries != before {
			return &core.Refusal{Call: name, Status: 409, Message: "too late"} // as for a start
		}
		if t.started == 0 && !t.touched && !t.gone {
			w.violation("%s: %s without a start", id, name)
		}
		switch {
		case t.gone:
			return core.ErrGone
		case t.status != "registering" && t.status != "connecting":
			return &core.Refusal{Call: name, Status: 409, Message: "it is " + t.status}
		case rep.Complete && rep.LinkProfile == "", !rep.Complete && rep.Message == "":
			w.violation("%s: an empty report %+v", id, rep)
		}
		t.ended++
		t.report = rep
		w.count.Reports++
		if t.open--; t.open < 0 && !t.touched {
			w.violation("%s: reported twice", id)
		}
		switch {
		case rep.Complete && t.status == "connecting":
			t.set("completed")
		case rep.Complete:
			t.set("profiled")
		default:
			back := map[string]string{"registering": "register", "connecting": "connect"}[t.status]
			t.set(rep.Status)
			w.requeue(t, back)
		}
		return nil
	})
}

// requeue lets the retry manager take a failed task back to the start, twice at
// most, now and then with what a person changed in it.
func (w *simWorld) requeue(t *simTask, back string) {
	r := w.roll("requeue", t.task.ID)
	if t.retries >= 2 || w.calm || r.IntN(3) == 0 {
		return
	}
	t.retries++
	w.coming++
	time.AfterFunc(upTo(r, time.Minute), func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.coming--
		if t.gone || t.touched {
			return
		}
		w.count.Requeues++
		switch r.IntN(6) {
		case 0:
			t.task.Entity = t.task.Entity.With(core.FieldPassword, core.Secret(fmt.Sprintf("New-pass-%d", t.retries)))
		case 1:
			t.task.Entity = t.task.Entity.With(core.FieldAbout, core.Text(fmt.Sprintf("about %d", t.retries)))
		}
		w.tell("manager: %s is queued again", t.task.ID)
		t.set(back)
	})
}

// people edit states at the task manager while the tasks run.
func (w *simWorld) edit(r *rand.Rand) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.tasks[w.order[r.IntN(len(w.order))]]
	if t.task.Kind == core.Connect {
		return
	}
	t.touched = true
	w.count.Edits++
	if r.IntN(6) == 0 {
		t.gone = true
		t.set("")
		w.tell("people: %s is deleted", t.task.ID)
		return
	}
	t.set([]string{"register", "register", "register_failed", "profiled", "registering"}[r.IntN(5)])
	w.tell("people: %s is set to %s", t.task.ID, t.status)
}
