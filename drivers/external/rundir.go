//go:build linux

package external

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	runPrefix = "rollcall-run-"
	// A socket's path has 108 bytes, of which go-plugin needs about 50.
	longestTemp = 40
	// youngest is the age below which a directory without a lock may be one that is just made.
	youngest = time.Minute
)

// runDir is where a host's sockets are. It is locked while the host lives, and
// what hosts left that were killed is removed by the next one.
type runDir struct {
	path string
	lock *os.File
}

func newRunDir() (*runDir, error) {
	temp := os.TempDir()
	if len(temp) > longestTemp {
		temp = "/tmp"
	}
	sweep(temp)
	path, err := os.MkdirTemp(temp, runPrefix)
	if err != nil {
		return nil, fmt.Errorf("making a directory for the workers' sockets: %w", err)
	}
	d := &runDir{path: path}
	if d.lock, err = lockDir(path); err == nil && os.Geteuid() == 0 {
		// Unprivileged workers pass through to a directory of their own.
		err = os.Chmod(path, 0o711)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("preparing %s: %w", path, err), d.close())
	}
	return d, nil
}

// lockDir opens and locks a directory of ours, or fails at once.
func lockDir(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_DIRECTORY|unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), path)
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// sweep removes directories of this user that no host holds any more.
func sweep(temp string) {
	old, err := filepath.Glob(filepath.Join(temp, runPrefix+"*"))
	if err != nil {
		return
	}
	for _, path := range old {
		info, err := os.Lstat(path)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < youngest {
			continue
		}
		if st, ok := info.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != os.Geteuid() {
			continue
		}
		if lock, err := lockDir(path); err == nil {
			_ = os.RemoveAll(path) // what can't be removed now is tried by the next host
			lock.Close()
		}
	}
}

func (d *runDir) close() error {
	err := os.RemoveAll(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if d.lock != nil {
		err = errors.Join(err, d.lock.Close())
	}
	return err
}
