package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// upkeep expires questions and deletes what is past its retention.
func (r *Runner) upkeep(ctx context.Context) error {
	tick := time.NewTicker(r.o.Limits.Sweep)
	defer tick.Stop()
	for {
		if _, err := r.o.Store.ExpireAsks(ctx); err != nil && ctx.Err() == nil {
			r.o.Log.Warn("questions were not expired", "err", err)
		}
		old := time.Now().Add(-r.o.Limits.Retention)
		if n, err := r.o.Store.Retain(ctx, old); err != nil && ctx.Err() == nil {
			r.o.Log.Warn("old tasks were not deleted", "err", err)
		} else if n > 0 {
			r.o.Log.Info("old tasks deleted", "tasks", n)
		}
		if n, err := r.retainPictures(old); err != nil {
			r.o.Log.Warn("old pictures were not deleted", "err", err)
		} else if n > 0 {
			r.o.Log.Info("old pictures deleted", "tasks", n)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// picturesDir holds a directory of pictures for each task that has some.
func (r *Runner) picturesDir() string { return filepath.Join(r.o.Dir, "tasks") }

// retainPictures deletes the pictures of the tasks that had their last one taken
// before a time, and returns how many tasks that were.
func (r *Runner) retainPictures(before time.Time) (int, error) {
	dirs, err := os.ReadDir(r.picturesDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("look for old pictures: %w", err)
	}
	n := 0
	var failed error
	for _, d := range dirs {
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.ModTime().Before(before) {
			continue
		}
		if err == nil {
			err = os.RemoveAll(filepath.Join(r.picturesDir(), d.Name()))
		}
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		n++
	}
	return n, failed
}
