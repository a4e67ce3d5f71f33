package runner_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// TestPicturesEndWithTheRetention: a task's pictures are its owner's data too.
func TestPicturesEndWithTheRetention(t *testing.T) {
	h := newHouse(t, sandbox.Options{})
	h.opts.Limits.Retention = time.Hour
	dir := func(task string) string { return filepath.Join(h.opts.Dir, "tasks", task) }
	for task, age := range map[string]time.Duration{"old": 2 * time.Hour, "fresh": time.Minute} {
		if err := os.MkdirAll(dir(task), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir(task), "a.png"), []byte("png"), 0o600); err != nil {
			t.Fatal(err)
		}
		when := time.Now().Add(-age)
		if err := os.Chtimes(dir(task), when, when); err != nil {
			t.Fatal(err)
		}
	}
	h.run()
	if _, err := os.Stat(dir("old")); !os.IsNotExist(err) {
		t.Errorf("pictures from before the retention are still there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir("fresh"), "a.png")); err != nil {
		t.Errorf("a fresh picture is gone: %v", err)
	}
}
