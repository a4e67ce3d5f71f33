package runner_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/hoola"
	"github.com/rollcall-run/rollcall/core/ledger"
	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
	"github.com/rollcall-run/rollcall/core/runner"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

func hoolaTask(id, user string) sandbox.Task {
	return sandbox.Task{ID: id, Domain: sandbox.HoolaDomain, Website: "https://example.com", Email: user + "@mail.example", Username: user,
		Password: "secret-" + user, FirstName: "Ngọc", LastName: "Minh", Phone: "0912345678", Location: "Hà Nội", Address: "12 Lý Thường Kiệt", About: "<p>x</p>"}
}

var testBoot = time.Now()

func testMoment() core.Moment { return core.Moment{Boot: "test", At: time.Since(testBoot)} }

func hoolaService(t *testing.T, sb *sandbox.Sandbox) runner.BulkService {
	t.Helper()
	c, err := hoola.New(hoola.Options{BaseURL: sb.Hoola.URL, Token: core.Secret(sb.Hoola.Token)})
	if err != nil {
		t.Fatal(err)
	}
	return runner.BulkService{
		Site: core.BulkSite{Domain: sandbox.HoolaDomain, Max: 100, Every: sb.Hoola.Every, Timeout: 5 * time.Second, MaxWait: 10 * time.Millisecond, HoldAbove: 0.5},
		API:  c, Row: hoola.FromTask("{last_name} {first_name}"), Link: hoola.Link(sb.Hoola.URL + "/profile/{userId}"), Driver: "hoola", Left: hoola.Left,
	}
}

func newBulkHouse(t *testing.T) *house {
	h := newHouse(t, sandbox.Options{HoolaEvery: 50 * time.Millisecond})
	h.opts.Bulks, h.opts.Batches, h.opts.Clock = []runner.BulkService{hoolaService(t, h.sb)}, h.store.(core.BulkStore), testMoment
	return h
}

// TestTasksOfABulkSite: tasks go out in calls, and each is reported by itself.
func TestTasksOfABulkSite(t *testing.T) {
	h := newBulkHouse(t)
	h.opts.Bulks[0].Site.Max, h.opts.Bulks[0].Site.MaxWait = 4, time.Hour // all four tasks, however slowly they come
	h.sb.Hoola.Add(sandbox.HoolaUser{Name: "Someone Else", Username: "other", Email: "b@mail.example", Password: "whatever"})
	short := hoolaTask("name", "minhc")
	short.FirstName, short.LastName = "", "A"
	taken := hoolaTask("taken", "minhb")
	taken.Email = "b@mail.example"
	accent := hoolaTask("accent", "minhé")
	h.add(hoolaTask("good", "minha"), taken, short, accent)
	h.run()
	good, _ := h.sb.Manager.Task("good")
	if good.Status != sandbox.StateProfiled || !strings.HasPrefix(good.Result.LinkProfile, h.sb.Hoola.URL+"/profile/hu") || !strings.Contains(good.Result.Note, "about: not set") {
		t.Errorf("the good task is %s, %+v", good.Status, good.Result)
	}
	for id, words := range map[string]string{"taken": "Email already in use", "name": "at least 3", "accent": "letters a-z"} {
		got, _ := h.sb.Manager.Task(id)
		if got.Status != sandbox.StateRegisterFailed || !strings.Contains(got.Result.ErrorMessage, words) {
			t.Errorf("task %s is %s: %q", id, got.Status, got.Result.ErrorMessage)
		}
	}
	calls := h.sb.Hoola.Calls()
	if len(calls) != 1 || len(calls[0].Users) != 2 {
		t.Fatalf("the site saw %d calls: %+v", len(calls), calls)
	}
	for _, u := range calls[0].Users {
		if u.Name != "Minh Ngọc" || u.City != "Hà Nội" || u.Street != "12 Lý Thường Kiệt" || u.Phone != "0912345678" {
			t.Errorf("the call's user is %+v", u)
		}
	}
	rec := h.record("good")
	if rec.Account == nil || rec.Account.LinkProfile != good.Result.LinkProfile || rec.Intent.State != core.IntentDone {
		t.Errorf("the ledger has account %+v, intent %+v", rec.Account, rec.Intent)
	}
}

// TestUncertainCallOfTasks: a lost answer is made good by the next call; who
// can't be told to be ours stays unknown, and is never reported as failed.
func TestUncertainCallOfTasks(t *testing.T) {
	h := newBulkHouse(t)
	h.opts.Bulks[0].Site.Max, h.opts.Bulks[0].Site.MaxWait = 4, time.Hour // all four tasks, however slowly they come
	h.sb.Hoola.Fault(func(c sandbox.HoolaCall) sandbox.HoolaFault {
		if c.N == 1 {
			return sandbox.HoolaFault{Fault: sandbox.Fault{Kind: sandbox.DropAfter}, Half: true}
		}
		return sandbox.HoolaFault{}
	})
	for i := range 4 {
		h.add(hoolaTask(fmt.Sprint("t", i), fmt.Sprint("minh", i)))
	}
	h.run()
	count := map[core.State]int{}
	for i := range 4 {
		rec := h.record(fmt.Sprint("t", i))
		count[rec.State]++
		if rec.State == core.Unknown && (rec.Intent.State != core.IntentOpen || !strings.Contains(rec.Fault, "created_unconfirmed")) {
			t.Errorf("task %s: intent %s, fault %q", rec.ID, rec.Intent.State, rec.Fault)
		}
	}
	if count[core.Unknown] != 2 || count[core.Reported] != 2 || len(h.sb.Hoola.Users()) != 4 || h.sb.Manager.Count(sandbox.StateRegisterFailed) != 0 {
		t.Errorf("states %v, %d users, %d failed", count, len(h.sb.Hoola.Users()), h.sb.Manager.Count(sandbox.StateRegisterFailed))
	}
	if n := len(h.sb.Hoola.Calls()); n != 2 {
		t.Errorf("%d calls", n)
	}
}

// TestRefusedToken: nothing was made, no task fails, and a person is asked.
func TestRefusedToken(t *testing.T) {
	h := newBulkHouse(t)
	h.sb.Hoola.Token = "another"
	h.opts.Wait = 300 * time.Millisecond
	h.add(hoolaTask("one", "minha"))
	h.run()
	rec := h.record("one")
	sites, err := h.store.Sites(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	held := false
	for _, s := range sites {
		held = held || s.Domain == sandbox.HoolaDomain && s.ByPerson && strings.Contains(s.PausedWhy, "the token is not accepted")
	}
	if rec.State != core.Prepared || !held {
		t.Errorf("the task is %s, sites %+v", rec.State, sites)
	}
}

// dies ends a Bulk at a step, as a crash does.
type dies struct{}

// TestImportCrashes imports 437 users and crashes at every durable step of every
// call: each user is made once, and each row has its end.
func TestImportCrashes(t *testing.T) {
	const users = 437
	sb, err := sandbox.Start(t.Context(), sandbox.Options{HoolaEvery: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sb.Close() })
	s := hoolaService(t, sb)
	s.Site.Timeout = time.Second
	url := "sqlite:" + t.TempDir() + "/l.db"
	var rows []core.BulkRow
	for i := range users {
		rows = append(rows, core.BulkRow{Num: i + 1, Fields: map[string]core.Value{"name": core.Text("Nguyễn Văn"), "username": core.Text(fmt.Sprintf("user%d", i)),
			"email": core.Text(fmt.Sprintf("u%d@x.example", i)), "password": core.Secret("secret12")}})
	}
	crashes := 0
	for point := 0; ; point++ {
		l, err := ledger.Open(t.Context(), ledger.Options{URL: url, Keys: ledgertest.NewKey("test")})
		if err != nil {
			t.Fatal(err)
		}
		imp, err := l.AddImport(t.Context(), core.BulkImport{Domain: s.Site.Domain, Name: "list", Digest: "d"}, rows)
		if err != nil {
			t.Fatal(err)
		}
		at := 0
		ended := importUntil(t, l, s, imp, func(string) {
			if at++; at > point%5 {
				panic(dies{})
			}
		})
		if !ended {
			crashes++
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if ended {
			check437(t, url, imp, sb, users)
			t.Logf("%d crashes, %d calls", crashes, len(sb.Hoola.Calls()))
			if crashes < 5 {
				t.Errorf("only %d crashes", crashes)
			}
			return
		}
	}
}

// importUntil runs the calls until the import has ended, true, or a crash.
func importUntil(t *testing.T, l *ledger.Ledger, s runner.BulkService, imp core.BulkImport, step func(string)) (ended bool) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil && p != any(dies{}) {
			panic(p)
		}
	}()
	b, err := runner.NewBulk(runner.BulkOptions{Site: s.Site, API: s.API, Store: l, Clock: testMoment, Step: step})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		wait, err := b.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		all, err := l.Imports(ctx, s.Site.Domain)
		if err != nil {
			t.Fatal(err)
		}
		if c := all[0].Counts; c[core.BulkWaiting]+c[core.BulkSent]+c[core.BulkUncertain] == 0 {
			return true
		}
		// Several crashes in a row leave users without an outcome each time: a person looks.
		if err := l.ResumeSite(ctx, s.Site.Domain); err != nil {
			t.Fatal(err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
	t.Fatal("the import did not end")
	return false
}

func check437(t *testing.T, url string, imp core.BulkImport, sb *sandbox.Sandbox, users int) {
	t.Helper()
	l := ledgertest.OpenAt(t, url, nil)
	count := map[core.BulkState]int{}
	if err := l.ImportRows(t.Context(), imp.ID, func(r core.BulkRow) error { count[r.State]++; return nil }); err != nil {
		t.Fatal(err)
	}
	if count[core.BulkCreated]+count[core.BulkUnconfirmed] != users || len(sb.Hoola.Users()) != users {
		t.Errorf("rows %v, the site has %d users", count, len(sb.Hoola.Users()))
	}
	for _, c := range sb.Hoola.Calls() {
		if c.Early || len(c.Users) > 100 {
			t.Errorf("call %d: early %v, %d users", c.N, c.Early, len(c.Users))
		}
	}
}

// TestDriverFillsTheProfileAfterwards: where the domain has a driver too, the call
// makes the account and the driver's profile follows; nothing is signed up twice.
func TestDriverFillsTheProfileAfterwards(t *testing.T) {
	h := newBulkHouse(t)
	s := hoolaService(t, h.sb)
	s.Site.Domain = domain
	h.opts.Bulks = []runner.BulkService{s}
	h.site.accounts["minha"] = "secret-minha" // the call's account, as the site knows it
	task := hoolaTask("one", "minha")
	task.Domain = domain
	h.add(task)
	h.run()
	got, _ := h.sb.Manager.Task("one")
	if got.Status != sandbox.StateProfiled || len(h.site.submits) != 0 || len(h.sb.Hoola.Users()) != 1 {
		t.Errorf("the task is %s %+v, %d sign-ups, %d users", got.Status, got.Result, len(h.site.submits), len(h.sb.Hoola.Users()))
	}
	if phases := strings.Join(h.site.phases, ","); phases != "one login,one profile" {
		t.Errorf("the driver ran %s", phases)
	}
}
