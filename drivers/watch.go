package drivers

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long the folders must be quiet before a change is read: editors
// write a file in several steps.
const settle = 50 * time.Millisecond

// watch follows the folders until ctx ends. A folder that does not exist yet is
// awaited through the nearest one above it that does.
func (s *Set) watch(ctx context.Context) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer w.Close()
	s.follow(w)
	// What changed between the first scan and the watch.
	if err := s.Rescan(); err != nil {
		s.opt.Logger.Error("the scripts can't be read", "err", err)
	}
	quiet := time.NewTimer(settle)
	quiet.Stop()
	defer quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-w.Events:
			if !ok {
				return errors.New("the watch on the scripts ended")
			}
			if e.Op == fsnotify.Chmod || strings.HasSuffix(e.Name, "~") {
				continue
			}
			quiet.Reset(settle)
		case err, ok := <-w.Errors:
			if !ok {
				return errors.New("the watch on the scripts ended")
			}
			s.opt.Logger.Warn("the watch on the scripts missed something; all are read again", "err", err)
			quiet.Reset(settle)
		case <-quiet.C:
			s.follow(w)
			if err := s.Rescan(); err != nil {
				s.opt.Logger.Error("the scripts can't be read; the old ones go on", "err", err)
			}
		}
	}
}

// follow watches what exists of the folders.
func (s *Set) follow(w *fsnotify.Watcher) {
	for _, d := range s.dirs() {
		for dir := d; ; dir = filepath.Dir(dir) {
			err := w.Add(dir)
			if err == nil || !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
				if err != nil {
					s.opt.Logger.Warn("a folder of scripts can't be watched; changes there need a restart", "dir", dir, "err", err)
				}
				break
			}
		}
	}
}
