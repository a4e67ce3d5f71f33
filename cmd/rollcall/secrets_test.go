package main_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/ledger"
	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
	"github.com/rollcall-run/rollcall/core/secret"
)

// vault is a ledger with sealed passwords in it, its key, and their configuration.
type vault struct {
	t                 *testing.T
	config, url, path string
	tasks             int
}

func newVault(t *testing.T, tasks int) *vault {
	t.Helper()
	dir := t.TempDir()
	v := &vault{t: t, config: filepath.Join(dir, "rollcall.toml"), url: "sqlite:" + filepath.Join(dir, "ledger.db"), path: filepath.Join(dir, "seal.key"), tasks: tasks}
	text := fmt.Sprintf("[state]\ndir = %q\n[store]\nurl = %q\nkey = %q\n", filepath.Join(dir, "state"), v.url, "file:"+v.path)
	v.must(os.WriteFile(v.config, []byte(text), 0o600))
	v.must(secret.Generate(v.path))
	l, err := v.open(v.path)
	v.must(err)
	for i := range tasks {
		_, err := ledgertest.Admit(t.Context(), l, core.Task{ID: fmt.Sprint(i), Domain: "a.example", Entity: core.Entity{Fields: map[string]core.Value{
			core.FieldPassword: core.Secret(v.password(i))}}}, time.Time{})
		v.must(err)
	}
	v.must(l.Close())
	return v
}

func (v *vault) must(err error) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
}

func (v *vault) password(i int) string { return fmt.Sprintf("sealed-password-%d", i) }

func (v *vault) open(key string) (*ledger.Ledger, error) {
	keys, err := secret.Load("file:" + key)
	if err != nil {
		return nil, err
	}
	return ledger.Open(v.t.Context(), ledger.Options{URL: v.url, Keys: keys})
}

// whole wants every password to be read with the key.
func (v *vault) whole(key string) error {
	l, err := v.open(key)
	if err != nil {
		return err
	}
	for i := range v.tasks {
		rec, err := l.Task(v.t.Context(), fmt.Sprint(i))
		if err != nil {
			return errors.Join(err, l.Close())
		}
		if got := rec.Entity.Get(core.FieldPassword).Reveal(); got != v.password(i) {
			return errors.Join(fmt.Errorf("task %d has the password %q", i, got), l.Close())
		}
	}
	return l.Close()
}

// finish runs a rotation to its end, and wants the ledger whole under the key in
// its place and so many old keys beside it.
func (v *vault) finish(old int) {
	v.t.Helper()
	out, err := exec.Command(binary, "secrets", "rotate", "-c", v.config).CombinedOutput()
	if err != nil {
		v.t.Fatalf("rotate: %v: %s", err, out)
	}
	v.must(v.whole(v.path))
	if _, err := os.Stat(secret.Next(v.path)); !errors.Is(err, fs.ErrNotExist) {
		v.t.Errorf("the next key is still there: %v", err)
	}
	if kept, _ := filepath.Glob(v.path + ".until-*"); len(kept) != old {
		v.t.Errorf("%d old keys are kept, want %d: %v", len(kept), old, kept)
	}
}

// TestARotationThatBrokeOffIsFinishedByTheNext makes each state in which a
// rotation can end, and wants the commands to work, or to say what to do.
func TestARotationThatBrokeOffIsFinishedByTheNext(t *testing.T) {
	v := newVault(t, 3)
	next := secret.Next(v.path)
	reseal := func() {
		t.Helper()
		keys, err := secret.Load("file:" + next)
		v.must(err)
		l, err := v.open(v.path)
		v.must(err)
		v.must(l.Reseal(t.Context(), keys))
		v.must(l.Close())
	}
	list := func(ok bool) {
		t.Helper()
		out, err := exec.Command(binary, "task", "list", "-c", v.config).CombinedOutput()
		if (err == nil) != ok || !ok && !strings.Contains(string(out), "run `rollcall secrets rotate` again to finish it") {
			t.Errorf("task list: %v: %s", err, out)
		}
	}
	v.must(secret.Generate(next)) // the new key was written, and nothing else
	list(true)
	v.finish(1)
	v.must(secret.Generate(next)) // the ledger was sealed under it
	reseal()
	list(false)
	v.finish(2)
	v.must(secret.Generate(next)) // the old key got its second name
	reseal()
	v.must(os.Link(v.path, v.path+".until-20260102T030405.000000Z"))
	list(false)
	v.finish(3)
	list(true)
}

// TestARotationThatIsKilledLeavesTheLedgerToOneOfTheKeys kills rotations later
// and later, from the moment at which the new key is on disk.
func TestARotationThatIsKilledLeavesTheLedgerToOneOfTheKeys(t *testing.T) {
	v := newVault(t, 40)
	const rounds = 4
	old, killed := 0, 0
	for round := range rounds {
		cmd := exec.Command(binary, "secrets", "rotate", "-c", v.config)
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		v.must(cmd.Start())
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		tick := time.NewTicker(time.Millisecond) // a file that appears gives no signal
		var err error
		for over := false; !over; {
			if _, missing := os.Stat(secret.Next(v.path)); missing == nil {
				break
			}
			select {
			case err = <-ended:
				over = true
				ended <- err
			case <-tick.C:
			}
		}
		tick.Stop()
		select {
		case <-time.After(time.Duration(round) * 5 * time.Millisecond):
		case err = <-ended:
			ended <- err
		}
		cmd.Process.Kill()
		if err := <-ended; err != nil {
			killed++
		}
		one, two := v.whole(v.path), v.whole(secret.Next(v.path))
		if (one == nil) == (two == nil) {
			t.Fatalf("round %d: with the key: %v; with the next key: %v", round, one, two)
		}
		if kept, _ := filepath.Glob(v.path + ".until-*"); len(kept) > old+1 {
			t.Errorf("round %d: %v", round, kept)
		} else if _, missing := os.Stat(secret.Next(v.path)); missing != nil {
			old++ // it was over before it was killed
		}
		old++
		v.finish(old)
	}
	t.Logf("%d of %d rotations were killed before their end", killed, rounds)
}
