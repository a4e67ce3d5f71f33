package ledger_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/ledger"
	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
)

// filled makes a SQLite ledger with one task that has everything, and closes it.
func filled(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "state", "ledger.db")
	l, err := open(t, "sqlite:"+path, "test")
	must(t, err)
	fill(t, l)
	must(t, l.Close())
	return path
}

// canaries are the secrets of fill, each of which must be found nowhere.
var canaries = []string{"canary-password", "canary-mailbox", "canary-fact", "canary-intent", "canary-account", "canary-totp", "canary-answer",
	"canary-report", "canary-about", "canary-outcome", "canary-username", "canary@mail.example"}

func fill(t *testing.T, l core.Store) {
	t.Helper()
	ctx := t.Context()
	must(t, l.Join(ctx, "one", time.Hour))
	must(t, l.PutSites(ctx, "one", []core.SiteLimits{{Domain: "a.org", Driver: "d", Concurrency: 9}}))
	task := core.Task{ID: "1", Domain: "a.org", Entity: core.Entity{Fields: map[string]core.Value{
		core.FieldPassword: core.Secret("canary-password"), core.FieldMailPassword: core.Secret("canary-mailbox"),
		core.FieldAbout: core.Text("canary-about"), core.FieldUsername: core.Text("canary-username"), core.FieldEmail: core.Text("canary@mail.example")}}}
	_, err := ledgertest.Admit(ctx, l, task, time.Time{})
	must(t, err)
	r, err := l.Claim(ctx, "one", time.Hour, nil)
	must(t, err)
	step := func(m core.Move) {
		t.Helper()
		r, err = l.Advance(ctx, r.Lease, m)
		must(t, err)
	}
	step(core.Move{To: core.Starting})
	step(core.Move{To: core.Prepared, Facts: core.Facts{"pin": core.Secret("canary-fact")}})
	must(t, l.Reserve(ctx, r.Lease, core.Booking{Password: core.Secret("canary-password"), Identities: []core.Identity{{Kind: core.FieldUsername, Value: core.Text("canary-username")},
		{Kind: core.FieldEmail, Value: core.Text("canary@mail.example")}}}))
	step(core.Move{To: core.Held})
	id, _, _, err := l.OpenAsk(ctx, r.Lease, core.Ask{Kind: core.AskAnswer, Code: core.OTPSMS, Say: "code"}, time.Now().Add(time.Hour))
	must(t, err)
	must(t, l.AnswerAsk(ctx, id, "canary-answer", "ann"))
	step(core.Move{To: core.Intended, Intent: &core.Intent{Password: core.Secret("canary-intent"), Username: core.Text("canary-username")}})
	step(core.Move{To: core.Submitted, Committed: true})
	step(core.Move{To: core.Confirmed, End: core.IntentDone, Account: &core.Account{Password: core.Secret("canary-account"), TOTP: core.Secret("canary-totp")}})
	step(core.Move{To: core.Failed, Answer: &core.Outcome{Status: core.Rejected, Code: core.Banned, Reason: "canary-outcome"}})
	step(core.Move{To: core.Reporting, Report: &core.Report{Message: "no", Password: core.Secret("canary-report")}})
}

// whole checks that the task of fill is there, with all its secrets.
func whole(t *testing.T, l core.Store) {
	t.Helper()
	r, err := l.Task(t.Context(), "1")
	must(t, err)
	it, err := l.ClaimReport(t.Context(), "two", time.Hour)
	must(t, err)
	for what, got := range map[string]core.Value{"canary-password": r.Entity.Get(core.FieldPassword), "canary-fact": r.Facts["pin"],
		"canary-intent": r.Intent.Password, "canary-account": r.Account.Password, "canary-totp": r.Account.TOTP,
		"canary-outcome": core.Text(r.Answer.Reason), "canary-report": it.Report.Password} {
		if got.Reveal() != what {
			t.Errorf("%s is gone", what)
		}
	}
	must(t, l.DeferReport(t.Context(), it, time.Time{}, core.Event{}))
}

// found are the canaries in data, plain or in a usual encoding.
func found(data []byte) (out []string) {
	for _, c := range canaries {
		for _, form := range []string{c, hex.EncodeToString([]byte(c)), base64.StdEncoding.EncodeToString([]byte(c))[:12], strings.ToUpper(c)} {
			if bytes.Contains(data, []byte(form)) {
				out = append(out, form)
			}
		}
	}
	return out
}

func TestSQLiteKeepsNoSecretInClear(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l, err := open(t, "sqlite:"+path, "test")
	must(t, err)
	defer func() { must(t, l.Close()) }()
	fill(t, l)
	total := 0
	for _, name := range []string{path, path + "-wal"} { // before a checkpoint
		data, err := os.ReadFile(name)
		must(t, err)
		total += bytes.Count(data, []byte("a.org"))
		if f := found(data); len(f) > 0 {
			t.Errorf("%s has %v", filepath.Base(name), f)
		}
	}
	if total == 0 {
		t.Error("the files do not have the task at all: the test looks at the wrong place")
	}
	whole(t, l)
}

func TestSQLiteFilesAreTheOwnersOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "ledger.db")
	l, err := open(t, "sqlite:"+path, "test")
	must(t, err)
	defer func() { must(t, l.Close()) }()
	fill(t, l)
	for _, name := range []string{path, path + "-wal", path + "-shm", path + ".lock"} {
		info, err := os.Stat(name)
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", filepath.Base(name), info.Mode())
		}
	}
	info, err := os.Stat(filepath.Dir(path))
	must(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v", info.Mode())
	}
}

func TestSQLiteSecondProcessIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l, err := open(t, "sqlite:"+path, "test")
	must(t, err)
	_, err = open(t, "sqlite:"+path, "test")
	var used *ledger.InUseError
	if !errors.As(err, &used) || used.PID != os.Getpid() || used.Path != path {
		t.Fatalf("error %v", err)
	}
	must(t, l.Close())
	l, err = open(t, "sqlite:"+path, "test")
	must(t, err)
	must(t, l.Close())
}

func TestSQLiteNewOwnerEndsOldLeases(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l, err := open(t, "sqlite:"+path, "test")
	must(t, err)
	fill(t, l)
	_, err = ledgertest.Admit(t.Context(), l, core.Task{ID: "2", Domain: "a.org"}, time.Time{})
	must(t, err)
	old, err := l.Claim(t.Context(), "one", time.Hour, nil)
	must(t, err)
	_, err = l.ClaimReport(t.Context(), "one", time.Hour)
	must(t, err)
	must(t, l.Close()) // without Leave, as after a crash
	l, err = open(t, "sqlite:"+path, "test")
	must(t, err)
	defer func() { must(t, l.Close()) }()
	must(t, l.Join(t.Context(), "two", time.Hour))
	must(t, l.PutSites(t.Context(), "two", []core.SiteLimits{{Domain: "a.org", Driver: "d"}}))
	got, err := l.Claim(t.Context(), "two", time.Hour, nil)
	must(t, err)
	if got.ID != "2" || got.Lease.Epoch != old.Lease.Epoch+1 {
		t.Errorf("claimed %+v after %+v", got.Lease, old.Lease)
	}
	if err := l.Note(t.Context(), old.Lease, nil); !errors.Is(err, core.ErrLeaseLost) {
		t.Errorf("the old lease: %v", err)
	}
	whole(t, l)
}

func TestSQLiteRefusesWhatItCantRead(t *testing.T) {
	damage := func(change func(data []byte)) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			data, err := os.ReadFile(path)
			must(t, err)
			change(data)
			must(t, os.WriteFile(path, data, 0o600))
		}
	}
	schema := func(statement string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			db, err := sql.Open("sqlite", path)
			must(t, err)
			_, err = db.Exec(statement)
			must(t, err)
			must(t, db.Close())
		}
	}
	for name, c := range map[string]struct {
		change func(*testing.T, string)
		key    string
		says   string
	}{
		"not a database": {damage(func(b []byte) { copy(b, strings.Repeat("no database ", 20)) }), "test", "damaged"},
		"damaged pages": {damage(func(b []byte) {
			for i := 8192; i < len(b); i++ {
				b[i] ^= 0x5a
			}
		}), "test", "damaged"},
		"a newer schema":              {schema(`INSERT INTO schema_version (version_id, is_applied) VALUES (99999, 1)`), "test", "newer rollcall"},
		"another key":                 {func(*testing.T, string) {}, "other", "another master key"},
		"a key of the hashes altered": {schema(`UPDATE meta SET value = x'00112233445566778899aabbccddeeff00112233' WHERE name = 'mac_key'`), "test", ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := filled(t)
			c.change(t, path)
			before, err := os.ReadFile(path)
			must(t, err)
			l, err := open(t, "sqlite:"+path, c.key)
			if err == nil {
				_ = l.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
				t.Errorf("the error says: %v", err)
			}
			after, err := os.ReadFile(path)
			must(t, err)
			if !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
	t.Run("no key", func(t *testing.T) {
		if _, err := ledger.Open(t.Context(), ledger.Options{URL: "sqlite:" + filled(t)}); err == nil || !strings.Contains(err.Error(), "master key") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("no address", func(t *testing.T) {
		for _, url := range []string{"", "sqlite:", "mysql://x", "postgres://%zz"} {
			if _, err := open(t, url, "test"); err == nil {
				t.Errorf("%q was opened", url)
			}
		}
	})
	t.Run("untouched", func(t *testing.T) { // so that the refusals above have another reason
		l, err := open(t, "sqlite:"+filled(t), "test")
		must(t, err)
		whole(t, l)
		must(t, l.Close())
	})
}

func TestSQLiteOpensPathsWithSpecialSigns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?c#d%20é", "x&y.db")
	l, err := open(t, "sqlite:"+path, "test")
	must(t, err)
	must(t, l.Close())
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestBackup(t *testing.T) {
	path := filled(t)
	l, err := open(t, "sqlite:"+path, "test")
	must(t, err)
	defer func() { must(t, l.Close()) }()
	copied := filepath.Join(t.TempDir(), "copy.db")
	must(t, l.Backup(t.Context(), copied))
	info, err := os.Stat(copied)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if err := l.Backup(t.Context(), copied); !errors.Is(err, os.ErrExist) {
		t.Errorf("an existing file: %v", err)
	}
	if err := l.Backup(t.Context(), filepath.Join(t.TempDir(), "none", "x")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing directory: %v", err)
	}
	// The lock still stands: a backup must not drop it by closing the file.
	var used *ledger.InUseError
	if _, err := open(t, "sqlite:"+path, "test"); !errors.As(err, &used) {
		t.Errorf("opened a second time: %v", err)
	}
	restored, err := open(t, "sqlite:"+copied, "test")
	must(t, err)
	whole(t, restored)
	must(t, restored.Close())
}

func TestResealChangesTheMasterKey(t *testing.T) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			url := d.url(t)
			l, err := open(t, url, "test")
			must(t, err)
			fill(t, l)
			_, err = ledgertest.Admit(t.Context(), l, core.Task{ID: "2", Domain: "a.org"}, time.Time{})
			must(t, err)
			other, err := l.Claim(t.Context(), "one", time.Hour, nil)
			must(t, err)
			if d.name == "PostgreSQL" {
				if err := l.Reseal(t.Context(), ledgertest.NewKey("new")); err == nil || !strings.Contains(err.Error(), "1 runners") {
					t.Fatalf("resealed under a live runner: %v", err)
				}
			}
			must(t, l.Leave(t.Context(), "one"))
			must(t, l.Reseal(t.Context(), ledgertest.NewKey("new")))
			whole(t, l)
			must(t, l.Close())
			if _, err := open(t, url, "test"); err == nil {
				t.Fatal("the old key still opens it")
			}
			l, err = open(t, url, "new")
			must(t, err)
			defer func() { must(t, l.Close()) }()
			whole(t, l)
			// Booked names are still known.
			must(t, l.Join(t.Context(), "two", time.Hour))
			must(t, l.PutSites(t.Context(), "two", []core.SiteLimits{{Domain: "a.org", Driver: "d", Concurrency: 9}}))
			again, err := l.Claim(t.Context(), "two", time.Hour, nil)
			must(t, err)
			if again.ID != other.ID {
				t.Fatalf("claimed %s", again.ID)
			}
			var taken *core.TakenError
			err = l.Reserve(t.Context(), again.Lease, core.Booking{Password: core.Secret("x"), Identities: []core.Identity{{Kind: core.FieldUsername, Value: core.Text("Canary-Username")}}})
			if !errors.As(err, &taken) || taken.TaskID != "1" {
				t.Errorf("reserve: %v", err)
			}
		})
	}
}

// TestSQLiteWritesTogether runs many transactions at a time, of which some fail:
// each gets its own answer, and everything that was acknowledged is stored.
func TestSQLiteWritesTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l, err := open(t, "sqlite:"+path, "test")
	must(t, err)
	must(t, l.Join(t.Context(), "bench", time.Hour))
	must(t, l.PutSites(t.Context(), "bench", []core.SiteLimits{{Domain: "s0.org", Driver: "d", Concurrency: 100}}))
	var wg sync.WaitGroup
	const slots, each = 12, 10
	for slot := range slots {
		wg.Go(func() {
			for i := range each {
				if err := live(t.Context(), l, lifeTask(int64(slot*each+i), 1)); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			gone, cancel := context.WithCancel(t.Context())
			cancel()
			for range each {
				if _, err := l.Advance(t.Context(), core.Lease{TaskID: "task-00000001", Owner: "nobody", Epoch: 9}, core.Move{To: core.Starting}); !errors.Is(err, core.ErrLeaseLost) {
					t.Errorf("a foreign lease: %v", err)
				}
				if err := l.SetFlag(gone, "cancelled", "x"); !errors.Is(err, context.Canceled) {
					t.Errorf("a caller that has gone: %v", err)
				}
			}
		})
	}
	wg.Wait()
	must(t, l.Close())
	if err := l.SetFlag(t.Context(), "late", "x"); err == nil {
		t.Error("a closed ledger took a flag")
	}
	l, err = open(t, "sqlite:"+path, "test")
	must(t, err)
	defer func() { must(t, l.Close()) }()
	recs, err := l.Tasks(t.Context(), core.TaskFilter{States: []core.State{core.Reported}, Limit: 1000})
	must(t, err)
	if len(recs) != slots*each {
		t.Errorf("%d tasks are reported, want %d", len(recs), slots*each)
	}
	if v, err := l.Flag(t.Context(), "cancelled"); err != nil || v != "" {
		t.Errorf("the flag of a caller that has gone is %q, error %v", v, err)
	}
}
