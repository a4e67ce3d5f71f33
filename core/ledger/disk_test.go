package ledger_test

import (
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/ledger/ledgertest"
)

// TestSQLiteDiskFull fills a small file system: what was acknowledged is there
// afterwards, the rest failed with a clear word, and the ledger goes on when
// there is room again.
func TestSQLiteDiskFull(t *testing.T) {
	t.Run("a limit on the file's size", func(t *testing.T) {
		signal.Ignore(unix.SIGXFSZ)
		defer signal.Reset(unix.SIGXFSZ)
		path := filepath.Join(t.TempDir(), "ledger.db")
		l, err := open(t, "sqlite:"+path, "test")
		must(t, err)
		var old unix.Rlimit
		must(t, unix.Getrlimit(unix.RLIMIT_FSIZE, &old))
		must(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1 << 20, Max: old.Max}))
		stored := admitUntilFull(t, l)
		must(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &old))
		must(t, l.Close())
		check(t, path, stored)
	})
	t.Run("a small file system", func(t *testing.T) {
		if os.Geteuid() != 0 {
			say := t.Skip
			if os.Getenv("CI") != "" {
				say = t.Fatal
			}
			say(`only root can mount a small file system; run it with: sudo env PATH="$PATH" HOME="$HOME" go test ./core/ledger`)
		}
		dir := t.TempDir()
		must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"))
		defer func() { must(t, unix.Unmount(dir, 0)) }()
		path := filepath.Join(dir, "ledger.db")
		l, err := open(t, "sqlite:"+path, "test")
		must(t, err)
		stored := admitUntilFull(t, l)
		must(t, l.Close())
		must(t, unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, "size=8m"))
		check(t, path, stored)
	})
}

func admitUntilFull(t *testing.T, l core.Store) (stored []string) {
	t.Helper()
	for i := range 10_000 {
		task := lifeTask(int64(i), 1)
		_, err := ledgertest.Admit(t.Context(), l, task, time.Time{})
		if err != nil {
			if !strings.Contains(err.Error(), "disk") {
				t.Errorf("the error says: %v", err)
			}
			return stored
		}
		stored = append(stored, task.ID)
	}
	t.Fatal("the disk never was full")
	return nil
}

func check(t *testing.T, path string, stored []string) {
	t.Helper()
	if len(stored) == 0 {
		t.Fatal("nothing was stored before the disk was full")
	}
	l, err := open(t, "sqlite:"+path, "test")
	must(t, err)
	defer func() { must(t, l.Close()) }()
	for _, id := range stored {
		if _, err := l.Task(t.Context(), id); err != nil {
			t.Fatalf("%s was acknowledged: %v", id, err)
		}
	}
	recs, err := l.Tasks(t.Context(), core.TaskFilter{Limit: 100_000})
	must(t, err)
	if len(recs) > len(stored)+1 {
		t.Errorf("%d tasks are stored, %d were acknowledged", len(recs), len(stored))
	}
	if ok, err := ledgertest.Admit(t.Context(), l, core.Task{ID: "after", Domain: "a.org"}, time.Time{}); err != nil || !ok {
		t.Errorf("with room again: %v", err)
	}
}
