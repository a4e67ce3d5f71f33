package control_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/control"
	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	owner    = "runner-1"
	domain   = "wiki.example.org"
	password = "canary-password-9317"
	totp     = "canary-totp-5521"
	fact     = "canary-fact-7788"
)

// serve serves admin on a socket of the test's own and returns its path.
func serve(t *testing.T, admin core.Admin) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "control.sock")
	stop, err := control.Serve(t.Context(), path, admin, control.Options{Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Version: "v1", Grace: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return path
}

func dial(t *testing.T, path string) *control.Client {
	t.Helper()
	c, err := control.Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// seeded is a ledger with tasks in the states that people deal with:
// "account" is confirmed, "unknown" unknown, "held" asks a person and "late" waits.
func seeded(t *testing.T) (store core.Store, ask string) {
	t.Helper()
	ctx, lease := t.Context(), time.Minute
	store = ledgertest.SQLite(t)
	must(t, store.Join(ctx, owner, lease))
	must(t, store.PutSites(ctx, owner, []core.SiteLimits{{Domain: domain, Driver: "wiki", Concurrency: 10}}))
	reach := func(id string, moves ...core.Move) core.Record {
		task := core.Task{ID: id, RequestID: "r", Domain: domain, Kind: core.Onboard, Language: "vi", Options: map[string]any{"deep": true, "n": 2.5},
			Entity: core.Entity{Fields: map[string]core.Value{core.FieldEmail: core.Text(id + "@mail.example"), core.FieldUsername: core.Text(id),
				core.FieldPassword: core.Secret(password + id)}, Social: []string{"https://social.example/" + id}}}
		if ok, err := ledgertest.Admit(ctx, store, task, time.Time{}); err != nil || !ok {
			t.Fatalf("admit %s: %v, %v", id, ok, err)
		}
		rec, err := store.Claim(ctx, owner, lease, nil)
		for _, m := range moves {
			must(t, err)
			rec, err = store.Advance(ctx, rec.Lease, m)
		}
		must(t, err)
		return rec
	}
	start, prepared := core.Move{To: core.Starting}, core.Move{To: core.Prepared, Driver: "wiki", Digest: "d1"}
	intent := func(id string) core.Move {
		return core.Move{To: core.Intended, Intent: &core.Intent{Name: "join", Driver: "wiki", Digest: "d1", Username: core.Text(id),
			Password: core.Secret(password + id), Mark: core.MailMark{UIDValidity: 7, UIDNext: 9}, HasMark: true}}
	}
	reach("account", start, prepared, intent("account"),
		core.Move{To: core.Submitted, Committed: true, Facts: core.Facts{"code": core.Secret(fact), "note": core.Text("hello")}},
		core.Move{To: core.Confirmed, End: core.IntentDone, Fields: map[string]string{"about": "set"}, Account: &core.Account{
			Username: core.Text("account"), Password: core.Secret(password + "account"), TOTP: core.Secret(totp), LinkProfile: "https://wiki.example.org/account"},
			Answer: &core.Outcome{Status: core.Done, Facts: core.Facts{"x": core.Secret(fact)}}})
	reach("unknown", start, prepared, intent("unknown"), core.Move{To: core.Unknown, Fault: "the page went away"})
	held := reach("held", start, prepared, core.Move{To: core.Held})
	ask, _, _, err := store.OpenAsk(ctx, held.Lease, core.Ask{Kind: core.AskAnswer, Code: core.OTPSMS, Say: "type the code"}, time.Now().Add(time.Hour))
	must(t, err)
	reach("late", start, prepared, core.Move{To: core.Delayed, Due: time.Now().Add(time.Hour)})
	return store, ask
}

// TestEveryMethodOfAdminIsTried holds the cases of TestSameAsDirect to the
// methods that core.Admin has.
func TestEveryMethodOfAdminIsTried(t *testing.T) {
	var want []string
	for m := range reflect.TypeFor[core.Admin]().Methods() {
		want = append(want, m.Name)
	}
	got := []string{}
	for _, c := range cases("") {
		if !slices.Contains(got, c.method) {
			got = append(got, c.method)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("tried are %v, core.Admin has %v", got, want)
	}
}

type adminCase struct {
	method, name string
	call         func(ctx context.Context, a core.Admin) (any, error)
}

// cases change nothing twice in the same way, so that both sides can run them in turn.
func cases(ask string) []adminCase {
	none := func(f func(context.Context, core.Admin) error) func(context.Context, core.Admin) (any, error) {
		return func(ctx context.Context, a core.Admin) (any, error) { return nil, f(ctx, a) }
	}
	return []adminCase{
		{"Tasks", "all", func(ctx context.Context, a core.Admin) (any, error) { return a.Tasks(ctx, core.TaskFilter{}) }},
		{"Tasks", "some", func(ctx context.Context, a core.Admin) (any, error) {
			return a.Tasks(ctx, core.TaskFilter{Domain: domain, States: []core.State{core.Held, core.Delayed}, Limit: 1, After: "held"})
		}},
		{"Tasks", "none", func(ctx context.Context, a core.Admin) (any, error) {
			return a.Tasks(ctx, core.TaskFilter{Domain: "other.example.org"})
		}},
		{"Task", "with an account", func(ctx context.Context, a core.Admin) (any, error) { return a.Task(ctx, "account") }},
		{"Task", "unknown id", func(ctx context.Context, a core.Admin) (any, error) { return a.Task(ctx, "nobody") }},
		{"Events", "of a task", func(ctx context.Context, a core.Admin) (any, error) { return a.Events(ctx, "account") }},
		{"Events", "unknown id", func(ctx context.Context, a core.Admin) (any, error) { return a.Events(ctx, "nobody") }},
		{"Sites", "all", func(ctx context.Context, a core.Admin) (any, error) { return a.Sites(ctx) }},
		{"Summary", "all", func(ctx context.Context, a core.Admin) (any, error) { return a.Summary(ctx) }},
		{"Asks", "open", func(ctx context.Context, a core.Admin) (any, error) { return a.Asks(ctx, false) }},
		{"Asks", "all", func(ctx context.Context, a core.Admin) (any, error) { return a.Asks(ctx, true) }},
		{"Accounts", "all", func(ctx context.Context, a core.Admin) (any, error) {
			var all []core.Account
			err := a.Accounts(ctx, func(x core.Account) error { all = append(all, x); return nil })
			return all, err
		}},
		{"Accounts", "stopped by the reader", none(func(ctx context.Context, a core.Admin) error {
			return a.Accounts(ctx, func(core.Account) error { return errors.New("enough") })
		})},
		{"Resolve", "wrong state", none(func(ctx context.Context, a core.Admin) error { return a.Resolve(ctx, "late", core.VerdictFail, "ann") })},
		{"Resolve", "wrong verdict", none(func(ctx context.Context, a core.Admin) error { return a.Resolve(ctx, "unknown", "perhaps", "ann") })},
		{"Retry", "unknown id", none(func(ctx context.Context, a core.Admin) error { return a.Retry(ctx, "nobody", "ann") })},
		{"PauseSite", "with a reason", none(func(ctx context.Context, a core.Admin) error { return a.PauseSite(ctx, domain, "maintenance") })},
		{"ResumeSite", "paused", none(func(ctx context.Context, a core.Admin) error { return a.ResumeSite(ctx, domain) })},
		{"AnswerAsk", "unknown id", none(func(ctx context.Context, a core.Admin) error { return a.AnswerAsk(ctx, "nobody", "1", "ann") })},
		{"AnswerAsk", "without its text", none(func(ctx context.Context, a core.Admin) error { return a.AnswerAsk(ctx, ask, "", "ann") })},
		{"Backup", "no path", none(func(ctx context.Context, a core.Admin) error { return a.Backup(ctx, "/proc/nowhere/copy") })},
	}
}

// TestSameAsDirect compares what a method gives over the socket with what it
// gives on the ledger itself, secrets masked.
func TestSameAsDirect(t *testing.T) {
	store, ask := seeded(t)
	client := dial(t, serve(t, store))
	for _, c := range cases(ask) {
		t.Run(c.method+" "+c.name, func(t *testing.T) {
			got, gotErr := c.call(t.Context(), client)
			want, wantErr := c.call(t.Context(), store)
			if errText(gotErr) != errText(wantErr) {
				t.Fatalf("over the socket: %v; directly: %v", gotErr, wantErr)
			}
			for _, sentinel := range []error{core.ErrUnknownTask, core.ErrUnknownAsk, core.ErrAskClosed} {
				if errors.Is(gotErr, sentinel) != errors.Is(wantErr, sentinel) {
					t.Errorf("errors.Is(…, %q) is %v over the socket", sentinel, errors.Is(gotErr, sentinel))
				}
			}
			if wantErr != nil {
				return
			}
			if want := veil(want); !reflect.DeepEqual(veil(got), want) {
				t.Errorf("over the socket:\n%#v\ndirectly:\n%#v", got, want)
			}
		})
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// veil replaces the text of every secret by •••, and empty lists and maps by none.
func veil(x any) any {
	if x == nil {
		return nil
	}
	out := reflect.New(reflect.TypeOf(x)).Elem()
	out.Set(veiled(reflect.ValueOf(x)))
	return out.Interface()
}

func veiled(v reflect.Value) reflect.Value {
	if s, ok := v.Interface().(core.Value); ok {
		if s.IsSecret() && !s.Empty() {
			s = core.Secret("•••")
		}
		return reflect.ValueOf(s)
	}
	if _, ok := v.Interface().(time.Time); ok {
		return v
	}
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			out.Field(i).Set(veiled(v.Field(i)))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(veiled(v.Elem()))
		}
	case reflect.Slice:
		for i := range v.Len() {
			out = reflect.Append(out, veiled(v.Index(i)))
		}
	case reflect.Map:
		if v.Len() > 0 {
			out.Set(reflect.MakeMap(v.Type()))
			for k, x := range v.Seq2() {
				out.SetMapIndex(k, veiled(x))
			}
		}
	case reflect.Interface:
		if !v.IsNil() {
			out.Set(veiled(v.Elem()))
		}
	default:
		return v
	}
	return out
}

// TestChangesTakeEffect follows each changing method to the ledger.
func TestChangesTakeEffect(t *testing.T) {
	store, ask := seeded(t)
	path := serve(t, store)
	c, ctx := dial(t, path), t.Context()

	must(t, c.Resolve(ctx, "unknown", core.VerdictCreated, "ann"))
	rec, err := store.Task(ctx, "unknown")
	must(t, err)
	if rec.State != core.Confirmed {
		t.Errorf("the resolved task is %s", rec.State)
	}
	must(t, c.Retry(ctx, "late", "ann"))
	if rec, err = store.Task(ctx, "late"); err != nil || rec.Due.After(time.Now()) {
		t.Errorf("the retried task is due %v, %v", rec.Due, err)
	}
	must(t, c.PauseSite(ctx, domain, "maintenance"))
	sites, err := store.Sites(ctx)
	must(t, err)
	if len(sites) != 1 || !sites[0].ByPerson || sites[0].PausedWhy != "maintenance" {
		t.Errorf("the paused site is %+v", sites)
	}
	must(t, c.ResumeSite(ctx, domain))
	if sites, err = store.Sites(ctx); err != nil || !sites[0].PausedUntil.IsZero() {
		t.Errorf("the resumed site is %+v, %v", sites, err)
	}
	must(t, c.AnswerAsk(ctx, ask, "123456", "ann"))
	if err := c.AnswerAsk(ctx, ask, "123456", "ann"); !errors.Is(err, core.ErrAskClosed) {
		t.Errorf("a second answer gives %v", err)
	}
	held, err := store.Task(ctx, "held")
	must(t, err)
	a, ok, err := store.TakeAnswer(ctx, held.Lease, ask)
	if err != nil || !ok || a.Text.Reveal() != "123456" || a.By != "ann" {
		t.Errorf("the answer is %+v, %v, %v", a, ok, err)
	}
	t.Chdir(t.TempDir())
	must(t, c.Backup(ctx, "copy.db")) // relative to this process
	info, err := os.Stat("copy.db")
	must(t, err)
	if info.Mode().Perm() != 0o600 || info.Size() == 0 {
		t.Errorf("the copy has mode %v and %d bytes", info.Mode(), info.Size())
	}
}

func TestRevealedAccountsHaveTheirTexts(t *testing.T) {
	store, _ := seeded(t)
	c := dial(t, serve(t, store))
	for _, reveal := range []bool{false, true} {
		f, want := c.Accounts, "•••"
		if reveal {
			f, want = c.RevealAccounts, password+"account"
		}
		var all []core.Account
		must(t, f(t.Context(), func(a core.Account) error { all = append(all, a); return nil }))
		if len(all) != 1 || all[0].Password.Reveal() != want || !all[0].Password.IsSecret() || strings.Contains(all[0].TOTP.Reveal(), totp) != reveal {
			t.Errorf("reveal %v: %d accounts, password %q, TOTP %q", reveal, len(all), all[0].Password.Reveal(), all[0].TOTP.Reveal())
		}
	}
}

func TestHelloSaysWhoAnswers(t *testing.T) {
	c := dial(t, serve(t, nil))
	if c.PID != os.Getpid() || c.Version != "v1" {
		t.Errorf("the runner is process %d, version %q", c.PID, c.Version)
	}
}
