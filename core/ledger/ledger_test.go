package ledger_test

import (
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
)

func TestSmoke(t *testing.T) {
	ctx := t.Context()
	s := ledgertest.SQLite(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.Join(ctx, "a", 30*time.Second))
	must(s.PutSites(ctx, "a", []core.SiteLimits{{Domain: "x.org", Driver: "d", Concurrency: 1}}))
	task := core.Task{ID: "1", Domain: "x.org", Kind: core.Onboard, Entity: core.Entity{Fields: map[string]core.Value{"password": core.Secret("geheim123")}}}
	ok, err := s.Admit(ctx, task, time.Time{})
	must(err)
	if !ok {
		t.Fatal("not admitted")
	}
	r, err := s.Claim(ctx, "a", 30*time.Second)
	must(err)
	for _, m := range []core.Move{{To: core.Starting}, {To: core.Prepared, Phase: core.Register},
		{To: core.Intended, Intent: &core.Intent{Name: "submit", Email: core.Text("a@b.c")}},
		{To: core.Submitted, Committed: true}, {To: core.Confirmed, End: core.IntentDone, Account: &core.Account{Email: core.Text("a@b.c")}},
		{To: core.Profiled}, {To: core.Reporting, Report: &core.Report{Complete: true, LinkProfile: "https://x.org/u"}}} {
		r, err = s.Advance(ctx, r.Lease, m)
		must(err)
	}
	it, err := s.ClaimReport(ctx, "a", time.Minute)
	must(err)
	must(s.SettleReport(ctx, it, core.Reported, core.Event{}))
	got, err := s.Task(ctx, "1")
	must(err)
	if got.State != core.Reported || got.Account == nil || got.Entity.Get("password").Reveal() != "geheim123" {
		t.Fatalf("%+v", got)
	}
	_, err = s.Sites(ctx)
	must(err)
	_, err = s.Summary(ctx)
	must(err)
	_, err = s.Asks(ctx, true)
	must(err)
	_, err = s.NextDue(ctx, "a")
	must(err)
}
