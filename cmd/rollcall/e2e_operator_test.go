package main_test

import (
	"bytes"
	"database/sql"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite"

	"github.com/rollcall-run/rollcall/core/secret"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// refused wants a runner to end at once with the code and one line that has
// each of the words.
func refused(t *testing.T, r *running, code int, words ...string) {
	t.Helper()
	if got := r.end(patience); got != code {
		t.Errorf("ended with %d, want %d\n%s", got, code, r.tail())
	}
	lines, _ := r.log()
	var said []string
	for _, e := range lines {
		if e.fields == nil {
			said = append(said, e.text)
		}
	}
	if len(said) != 1 || !strings.HasPrefix(said[0], "rollcall: ") {
		t.Errorf("said %d lines, want one:\n%s", len(said), r.tail())
		return
	}
	for _, word := range words {
		if !strings.Contains(said[0], word) {
			t.Errorf("said %q, which has no %q", said[0], word)
		}
	}
}

// TestALedgerThatCantBeTrustedIsRefusedAndKept makes a ledger with a task in it
// and then spoils what opens it, or the ledger.
func TestALedgerThatCantBeTrustedIsRefusedAndKept(t *testing.T) {
	w := newWorld(t, settings{slots: 1})
	w.add(w.sb.Board, sandbox.StateRegister, 1)
	config := w.config("one")
	r := w.start(config, "--once")
	if code := r.end(patience); code != exitDone {
		t.Fatalf("ended with %d\n%s", code, r.tail())
	}
	db, key := w.path("ledger/rollcall.db"), w.path("seal.key")
	sound, err := os.ReadFile(db)
	if err != nil {
		t.Fatal(err)
	}
	rightKey, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	restore := func() {
		for _, path := range []string{db, db + "-wal", db + "-shm", key} {
			os.Remove(path)
		}
		if err := errors.Join(os.WriteFile(db, sound, 0o600), os.WriteFile(key, rightKey, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name  string
		spoil func() error
		code  int
		words []string
	}{
		{"another key", func() error {
			os.Remove(key)
			return secret.Generate(key)
		}, exitFailed, []string{"another master key", "nothing was changed"}},
		{"no key", func() error { return os.Remove(key) }, exitUsage, []string{"[store] key", "seal.key", "rollcall init"}},
		{"a key that others can read", func() error { return os.Chmod(key, 0o644) }, exitUsage, []string{"seal.key", "chmod 600"}},
		{"a newer schema", func() error {
			d, err := sql.Open("sqlite", db)
			if err != nil {
				return err
			}
			defer d.Close()
			_, err = d.Exec(`INSERT INTO schema_version (version_id, is_applied) VALUES (99999, 1)`)
			return err
		}, exitFailed, []string{"its schema is 99999", "use the newer rollcall"}},
		{"damaged pages", func() error {
			bad := bytes.Clone(sound)
			for i := 4096; i < len(bad); i++ {
				bad[i] ^= 0x5a
			}
			return os.WriteFile(db, bad, 0o600)
		}, exitFailed, []string{"rollcall.db", "damaged", "left as it is"}},
		{"another file", func() error { return os.WriteFile(db, bytes.Repeat([]byte("not a ledger\n"), 500), 0o600) },
			exitFailed, []string{"rollcall.db", "left as it is"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			restore()
			if err := c.spoil(); err != nil {
				t.Fatal(err)
			}
			before, _ := os.ReadFile(db)
			r := launch(t, "run", "--once", "-c", config)
			refused(t, r, c.code, c.words...)
			if after, _ := os.ReadFile(db); !bytes.Equal(before, after) {
				t.Error("the ledger's file was changed")
			}
		})
	}
	restore()
	w.add(w.sb.Board, sandbox.StateRegister, 1)
	r = w.start(config, "--once")
	if code := r.end(patience); code != exitDone {
		t.Errorf("ended with %d when all was put back\n%s", code, r.tail())
	}
	w.checkDone()
}

func TestWhatIsMissingAtTheStartIsSaidInOneLine(t *testing.T) {
	w := newWorld(t, settings{slots: 1})
	w.add(w.sb.Board, sandbox.StateRegister, 1)
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := "http://" + nobody.Addr().String() + "/api"
	nobody.Close()
	w.write("wrong.key", "not-the-key\n")
	for _, c := range []struct {
		name  string
		edits []string
		code  int
		words []string
	}{
		{"no Chromium", []string{"[browser]", "[browser]\npath = \"/nowhere/chromium\""}, exitFailed, []string{"no Chromium found at /nowhere/chromium"}},
		{"no API key", []string{"entity.key", "missing.key"}, exitUsage, []string{"api_key", "missing.key"}},
		{"a key that the task manager does not accept", []string{"entity.key", "wrong.key"}, exitFailed, []string{"[entity] api_key"}},
		{"no task manager", []string{w.sb.Manager.URL, dead, "attempts = 50", "attempts = 2"}, exitFailed, []string{"task manager", "connection refused"}},
		{"an unknown setting", []string{"slots =", "slotz ="}, exitUsage, []string{"slotz", "slots", ".toml:"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			refused(t, launch(t, "run", "--once", "-c", w.config(strings.ReplaceAll(c.name, " ", "-"), c.edits...)), c.code, c.words...)
		})
	}
	if n := len(w.sb.Board.Submits()); n != 0 {
		t.Errorf("%d sign-ups were sent", n)
	}
}

func TestARunnerAwaitsATaskManagerThatIsDownAtItsStart(t *testing.T) {
	w := newWorld(t, settings{slots: 1})
	var mu sync.Mutex
	lists := 0
	w.sb.Manager.Fault(func(c sandbox.Call) sandbox.Fault {
		mu.Lock()
		defer mu.Unlock()
		if c.Name == sandbox.CallList {
			if lists++; lists <= 2 {
				return sandbox.Fault{Kind: sandbox.DropBefore}
			}
		}
		return sandbox.Fault{}
	})
	w.add(w.sb.Board, sandbox.StateRegister, 1)
	r := w.start(w.config("one"))
	r.await("that the list failed", message("the list failed"))
	w.await(r)
	r.stop()
	w.checkDone()
}

// TestAFullDiskStopsTheRunnerAndLosesNothing lets the state directory run full
// while tasks are under way.
func TestAFullDiskStopsTheRunnerAndLosesNothing(t *testing.T) {
	preflight(t, rightMount)
	w := newWorld(t, settings{slots: 2, scripts: own(t, "300ms", "20s")})
	small := w.path("ledger")
	if err := os.Mkdir(small, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, "size=8m,mode=0700"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(small, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	w.add(w.sb.Board, sandbox.StateRegister, 6)
	w.add(w.sb.Community, sandbox.StateRegister, 2)
	var once sync.Once
	filler := filepath.Join(small, "filler")
	w.sb.Board.OnCommit(func(s sandbox.Submit) sandbox.CommitFault {
		if s.N >= 2 {
			once.Do(func() { fill(t, filler) })
		}
		return sandbox.CommitFault{}
	})
	config := w.config("one")
	r := w.start(config)
	code := r.end(patience)
	lines, _ := r.log()
	if last := lines[len(lines)-1].text; code != exitFailed || !strings.Contains(last, "the disk is full") || !strings.Contains(last, small) {
		t.Errorf("ended with %d and said %s", code, last)
	}
	err := errors.Join(os.Remove(filler), unix.Mount("tmpfs", small, "tmpfs", unix.MS_REMOUNT, "size=64m,mode=0700"))
	if err != nil {
		t.Fatal(err)
	}
	again := w.start(config)
	w.await(again)
	again.stop()
	w.checkDone()
}

// fill writes until there is no room.
func fill(t *testing.T, path string) {
	f, err := os.Create(path)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	chunk := make([]byte, 1024)
	for begun := time.Now(); time.Since(begun) < 10*time.Second; {
		if _, err := f.Write(chunk); err != nil {
			return
		}
	}
	t.Error("the file system did not run full")
}
