package main_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/control"
	"github.com/rollcall-run/rollcall/core/ledger"
	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
	"github.com/rollcall-run/rollcall/core/secret"
)

// seedSite is the site of the seeded tasks.
const seedSite = "wiki.example.org"

// openSeeded opens var/rollcall.db under the key in seal.key, which it makes.
func openSeeded(ts *testscript.TestScript) *ledger.Ledger {
	key := ts.MkAbs("seal.key")
	if _, err := os.Stat(key); errors.Is(err, fs.ErrNotExist) {
		ts.Check(secret.Generate(key))
	}
	keys, err := secret.Load("file:" + key)
	ts.Check(err)
	ts.Check(os.MkdirAll(ts.MkAbs("var"), 0o700))
	l, err := ledger.Open(context.Background(), ledger.Options{URL: "sqlite:" + ts.MkAbs("var/rollcall.db"), Keys: keys})
	ts.Check(err)
	return l
}

// scriptSeed makes a ledger in var/ with tasks in the states that people deal
// with, and sets $ASK_HELD and $ASK_PARKED.
func scriptSeed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("seed takes no arguments")
	}
	l := openSeeded(ts)
	ctx, lease := context.Background(), time.Hour
	ts.Check(l.Join(ctx, "seed", lease))
	ts.Check(l.PutSites(ctx, "seed", []core.SiteLimits{{Domain: seedSite, Driver: "wiki", Concurrency: 20, MaxPerDay: 50}}))
	account := func(id, password string) *core.Account {
		return &core.Account{Username: core.Text("=user" + id), Email: core.Text(id + "@mail.example"), Password: core.Secret(password), LinkProfile: "https://" + seedSite + "/u/" + id}
	}
	reach := func(id string, moves ...core.Move) core.Record {
		_, err := ledgertest.Admit(ctx, l, core.Task{ID: id, RequestID: "r1", Domain: seedSite, Kind: core.Onboard, Entity: core.Entity{Fields: map[string]core.Value{
			core.FieldUsername: core.Text("user" + id), core.FieldEmail: core.Text(id + "@mail.example"), core.FieldPassword: core.Secret("canary-password-" + id)}}}, time.Time{})
		ts.Check(err)
		rec, err := l.Claim(ctx, "seed", lease, nil)
		ts.Check(err)
		for _, m := range append([]core.Move{{To: core.Starting, Event: core.Event{Text: "starting"}}, {To: core.Prepared, Phase: core.Register, Driver: "wiki", Digest: "0123456789abcdef"}}, moves...) {
			rec, err = l.Advance(ctx, rec.Lease, m)
			ts.Check(err)
		}
		return rec
	}
	settle := func(to core.State) {
		item, err := l.ClaimReport(ctx, "seed", lease)
		ts.Check(err)
		ts.Check(l.SettleReport(ctx, item, to, core.Event{Kind: "api", Text: "reported"}))
	}
	reach("t-done", core.Move{To: core.Confirmed, Phase: core.Profile, Account: account("t-done", "-canary-account-1")},
		core.Move{To: core.Profiled, Facts: core.Facts{core.FactLinkProfile: core.Text("https://" + seedSite + "/u/t-done")}, Fields: map[string]string{"about": "set"}},
		core.Move{To: core.Reporting, Report: &core.Report{Complete: true, LinkProfile: "https://" + seedSite + "/u/t-done"}})
	settle(core.Reported)
	reach("t-failed", core.Move{To: core.Failed, Answer: &core.Outcome{Status: core.Rejected, Code: core.InvalidInput, Field: "email", Reason: "not \x1b[31mallowed here"}},
		core.Move{To: core.Reporting, Report: &core.Report{Status: "register_failed", Message: "no"}})
	settle(core.Reported)
	reach("t-late", core.Move{To: core.Delayed, Due: time.Now().Add(2*time.Hour + 30*time.Second), Answer: &core.Outcome{Status: core.Waiting, Code: core.RateLimited, Reason: "slow down"}})
	rec := reach("t-unknown", core.Move{To: core.Intended, Intent: &core.Intent{Name: "join", Driver: "wiki", Username: core.Text("user"), Password: core.Secret("canary-password-i")}},
		core.Move{To: core.Unknown, Fault: "the page went away"})
	ts.Check(l.Defer(ctx, rec.Lease, time.Time{}, false, core.Event{Text: "a person's turn"}))
	ask := func(id string, kind core.AskKind, code core.Code, say string) (core.Record, string) {
		rec := reach(id, core.Move{To: core.Held})
		ts.Check(l.Note(ctx, rec.Lease, nil, core.Event{Kind: "log", Phase: core.Register, Level: "WARN", Text: "the page said canary-password-" + id + " \x1b]0;title",
			Attrs: map[string]string{"url": "https://" + seedSite + "/join"}},
			core.Event{Kind: "phase", Phase: core.Register, Text: "blocked", Attrs: map[string]string{"took": "1.5s", "driver": "wiki", "refused_hosts": "ads.example not declared; cdn.example not declared"}}))
		ask, _, _, err := l.OpenAsk(ctx, rec.Lease, core.Ask{Kind: kind, Code: code, Say: say, URL: "https://" + seedSite + "/join"}, time.Now().Add(48*time.Hour+30*time.Second))
		ts.Check(err)
		ts.Check(l.SetShot(ctx, rec.Lease, ask, "/pictures/"+id+".png"))
		return rec, ask
	}
	_, held := ask("t-held", core.AskAct, core.Captcha, "solve the puzzle")
	parkedRec, parked := ask("t-parked", core.AskAnswer, core.OTPSMS, "type the code of the SMS")
	_, err := l.Advance(ctx, parkedRec.Lease, core.Move{To: core.Parked, Answer: &core.Outcome{Status: core.Blocked, Code: core.OTPSMS, Reason: "type the code of the SMS"}})
	ts.Check(err)
	ts.Check(l.Close())
	ts.Setenv("ASK_HELD", held)
	ts.Setenv("ASK_PARKED", parked)
}

// scriptServe has the seeded ledger and answers commands on its control socket,
// as a runner does; `serve stop` ends it.
func scriptServe(ts *testscript.TestScript, neg bool, args []string) {
	if stop, ok := ts.Value(serveKey{}).(*func()); ok && len(args) == 1 && args[0] == "stop" && *stop != nil {
		(*stop)()
		*stop = nil
		return
	}
	if neg || len(args) > 0 {
		ts.Fatalf("serve, or serve stop after it")
	}
	l := openSeeded(ts)
	end, err := control.Serve(context.Background(), filepath.Join(ts.MkAbs("var"), "control.sock"), l, control.Options{Version: "test"})
	ts.Check(err)
	stop := ts.Value(serveKey{}).(*func())
	*stop = func() {
		end()
		ts.Check(l.Close())
	}
	ts.Defer(func() {
		if *stop != nil {
			(*stop)()
		}
	})
}

type serveKey struct{}

// scriptMode checks the mode of a file: mode 600 FILE.
func scriptMode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("mode MODE FILE")
	}
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := strings.TrimLeft(info.Mode().Perm().String(), "-"); got != args[0] {
		ts.Fatalf("%s has mode %s, not %s", args[1], got, args[0])
	}
}
