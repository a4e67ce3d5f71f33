package runner_test

import (
	"context"
	"slices"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// submit is a sign-up that arrived at the site. It returns whether the site says
// yes; an answer that is lost is an error.
func (w *simWorld) submit(ctx context.Context, task core.Task) (made bool, err error) {
	w.mu.Lock()
	user, email := task.Entity.Get(core.FieldUsername).Reveal(), task.Entity.Get(core.FieldEmail).Reveal()
	pass := task.Entity.Get(core.FieldPassword).Reveal()
	t := w.tasks[task.ID]
	w.check(t, user, email)
	r := w.roll("submit", task.ID)
	kind := r.IntN(10)
	if w.calm {
		kind = 9
	}
	t.submits = append(t.submits, simSubmit{user: user, at: time.Now()})
	n := len(t.submits) - 1
	w.count.Submits++
	commit := func() bool {
		if _, taken := w.accounts[user]; taken {
			return false
		}
		for _, a := range w.accounts {
			if a.email == email && a.task != "" {
				w.violation("%s: a second account for %s", task.ID, email)
			}
		}
		w.accounts[user] = &simAccount{password: pass, email: email, task: task.ID}
		return true
	}
	w.tell("site: submit of %s as %s, kind %d", task.ID, user, kind)
	if kind < 5 {
		w.count.Unanswered++
	}
	lost := &core.Fault{Code: core.HTTPError, Phase: core.Register, Verb: "commit", Why: "no answer"}
	switch kind {
	case 0, 1: // made, and the answer is lost
		commit()
		w.mu.Unlock()
		return false, lost
	case 2: // nothing came of it
		w.mu.Unlock()
		return false, lost
	case 3: // made later than anybody waits
		w.coming++
		time.AfterFunc(upTo(r, simSettle-time.Second), func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.coming--
			w.tell("site: the late sign-up of %s: %t", task.ID, commit())
		})
		w.mu.Unlock()
		return false, lost
	case 4: // made, and the page hangs
		commit()
		w.mu.Unlock()
		<-ctx.Done()
		return false, context.Cause(ctx)
	}
	made = commit()
	w.mu.Unlock()
	if err := simAway(ctx, upTo(r, 5*time.Second)); err != nil {
		return false, err
	}
	w.mu.Lock()
	t.submits[n].answered = true
	w.mu.Unlock()
	return made, nil
}

// check holds a sign-up to the one promise.
func (w *simWorld) check(t *simTask, user, email string) {
	for _, s := range t.submits {
		if a := w.accounts[s.user]; a != nil && a.task == t.task.ID {
			w.violation("%s: submitted again although %s was made", t.task.ID, s.user)
		}
		if !s.answered && !s.absent {
			w.violation("%s: submitted as %s although nothing proves that the submit of %s came to nothing", t.task.ID, user, s.at.Format("15:04:05"))
		}
	}
	if len(t.submits) > 0 {
		w.count.Second++
	}
}

// absent notes that the site, or a person, says that the task has no account.
func (w *simWorld) absent(t *simTask, settle time.Duration) {
	for i, s := range t.submits {
		if a := w.accounts[s.user]; time.Since(s.at) >= settle && (a == nil || a.task != t.task.ID) {
			t.submits[i].absent = true
		}
	}
}

// proves notes what a failed login or a look proves, where the driver may say so.
func (w *simWorld) proves(t *simTask) {
	if w.manifest.Probe.Authoritative {
		w.absent(t, simSettle)
	}
}

// account is what the site has for the credentials, nil when they open nothing.
func (w *simWorld) login(task core.Task) *simAccount {
	a := w.accounts[task.Entity.Get(core.FieldUsername).Reveal()]
	if a == nil || a.password != task.Entity.Get(core.FieldPassword).Reveal() {
		return nil
	}
	return a
}

// ended lists what is not where it must be, when everything is over.
func (w *simWorld) ended(records map[string]core.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range w.order {
		t, rec := w.tasks[id], records[id]
		if !t.touched && !t.gone && !t.final() {
			w.violation("%s is lost: %s at the task manager, %s here (due %v, broken %d, fault %q)", id, t.status, rec.State, rec.Due, rec.Broken, rec.Fault)
			continue
		}
		if rec.State != "" && !rec.State.Final() {
			w.violation("%s never ends: it is %s, due %v, fault %q", id, rec.State, rec.Due, rec.Fault)
		}
		if t.touched || t.gone {
			continue
		}
		user := t.task.Entity.Get(core.FieldUsername).Reveal()
		if !t.report.Username.Empty() {
			user = t.report.Username.Reveal()
		} else if rec.Account != nil && !rec.Account.Username.Empty() {
			user = rec.Account.Username.Reveal()
		}
		account := w.accounts[user]
		switch t.status {
		case "profiled", "completed":
			if account == nil || !account.profile {
				w.violation("%s is %s, and the site has no profile of %s", id, t.status, user)
			}
			if rec.State != core.Reported || !rec.Done {
				w.violation("%s is %s at the task manager, %s here (done: %t)", id, t.status, rec.State, rec.Done)
			}
		case "register_failed":
			own := slices.ContainsFunc(t.submits, func(s simSubmit) bool {
				a := w.accounts[s.user]
				return a != nil && a.task == id
			})
			if own && (rec.Intent == nil || rec.Intent.State != core.IntentOpen) {
				w.violation("%s is called failed without an account, and its account is there", id)
			}
		}
	}
}
