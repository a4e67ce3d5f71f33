package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// LifeTask is a task as a task manager lists them, the i-th of a benchmark, for
// one of so many sites, s0.org and on. Its id lies anywhere, as a random one does.
func LifeTask(i int64, sites int) core.Task {
	id := fmt.Sprintf("%08x-task-%d", uint32(i)*2_654_435_761, i)
	return core.Task{ID: id, RequestID: "r", Domain: fmt.Sprintf("s%d.org", i%int64(sites)), Kind: core.Onboard, Language: "en",
		Entity: core.Entity{Fields: map[string]core.Value{
			core.FieldEmail: core.Text(id + "@mail.example"), core.FieldUsername: core.Text(id), core.FieldPassword: core.Secret("pass " + id),
			core.FieldFirstName: core.Text("An"), core.FieldLastName: core.Text("Nguyen"), core.FieldPhone: core.Text("0900000000"),
			core.FieldAbout:   core.Text("<p>Some five hundred characters of a biography would stand here.</p>"),
			core.FieldWebsite: core.Text("https://customer.example/"), core.FieldMailPassword: core.Secret("mail " + id),
		}, Social: []string{"https://a.example/x", "https://b.example/y"}}}
}

// Live takes one task through its life, from its admission to the settled report:
// 8 transactions. The tasks that it claims and reports may be others', but as
// many as it admits. owner has joined, and can run the task's site.
func Live(ctx context.Context, l core.Store, owner string, t core.Task) error {
	if _, err := Admit(ctx, l, t, time.Time{}); err != nil {
		return err
	}
	r, err := again(func() (core.Record, error) {
		return l.Claim(ctx, owner, time.Hour, func(core.Record) (core.Move, bool) { return core.Move{To: core.Starting}, true })
	})
	if err != nil {
		return err
	}
	id := r.ID
	for _, m := range [][]core.Move{
		{{To: core.Prepared, Phase: core.Register, Book: &core.Booking{Password: r.Entity.Get(core.FieldPassword), Identities: []core.Identity{
			{Kind: core.FieldEmail, Value: r.Entity.Get(core.FieldEmail)}, {Kind: core.FieldUsername, Value: r.Entity.Get(core.FieldUsername)}}}}},
		{{To: core.Intended, Intent: &core.Intent{Name: "sign up", Username: core.Text(id), Email: core.Text(id + "@mail.example"), Password: core.Secret("p"), HasMark: true}}},
		{{To: core.Submitted, Committed: true}},
		{{To: core.Confirmed, End: core.IntentDone, Account: &core.Account{Username: core.Text(id), Password: core.Secret("p")}}},
		{{To: core.Profiled, Facts: core.Facts{core.FactLinkProfile: core.Text("https://s.org/" + id)}, Fields: map[string]string{"about": "set"}},
			{To: core.Reporting, Report: &core.Report{Complete: true, LinkProfile: "https://s.org/" + id}, Deliver: time.Hour}},
	} {
		if r, err = l.Advance(ctx, r.Lease, m...); err != nil {
			return err
		}
	}
	return l.SettleReport(ctx, *r.Delivery, core.Reported, core.Event{})
}

// again repeats a claim that met a row which another one was just taking.
func again[T any](claim func() (T, error)) (T, error) {
	for {
		v, err := claim()
		if !errors.Is(err, core.ErrNothing) {
			return v, err
		}
	}
}

// Admit admits one task.
func Admit(ctx context.Context, l core.Store, t core.Task, due time.Time) (bool, error) {
	out, err := l.Admit(ctx, []core.Task{t}, due)
	if err != nil {
		return false, err
	}
	return out[0].OK, out[0].Err
}
