package browser

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A profile is NAME/, owned by the browser's user, and NAME.lock beside it, on
// which its runner holds a lock: the kernel takes the lock away when the runner
// dies, however it dies and whatever its process number was.
type profile struct {
	path string // for --user-data-dir and HOME
	lock *os.File
}

const profilePrefix = "profile-"

// profileRoot makes the directory of the profiles. It is dir where the
// browser's user can get there, else one below /run or the temporary directory.
func profileRoot(dir string, u User) (root string, err error) {
	if dir == "" {
		return "", errors.New("the browser needs a state directory for its profiles")
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", fmt.Errorf("browser profiles: %w", err)
	}
	mode := os.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o711 // to be passed through, not listed; each profile in it is 0700
		if at := barrier(filepath.Dir(dir), u); at != "" {
			base := "/run"
			if info, err := os.Stat(base); err != nil || !info.IsDir() {
				base = os.TempDir()
			}
			sum := fnv.New64a()
			sum.Write([]byte(dir))
			dir = filepath.Join(base, "rollcall-"+strconv.FormatUint(sum.Sum64(), 36))
		}
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return "", fmt.Errorf("browser profiles: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", fmt.Errorf("browser profiles: %w", err)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !info.IsDir() || ok && int(st.Uid) != os.Geteuid() {
		return "", fmt.Errorf("browser profiles: %s must be a directory of the user that runs rollcall", dir)
	}
	if err := os.Chmod(dir, mode); err != nil {
		return "", fmt.Errorf("browser profiles: %w", err)
	}
	return dir, nil
}

// barrier is the first directory on the way to dir that u may not pass, ""
// when there is none. Directories that are still to be made don't count.
func barrier(dir string, u User) string {
	for at := dir; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		switch {
		case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		case err != nil:
			return at
		default:
			st, ok := info.Sys().(*syscall.Stat_t)
			perm := info.Mode().Perm()
			pass := perm&0o001 != 0
			if ok && int(st.Uid) == u.UID {
				pass = perm&0o100 != 0
			} else if ok && int(st.Gid) == u.GID {
				pass = perm&0o010 != 0
			}
			if !pass && info.IsDir() { // what is no directory fails elsewhere, in clearer words
				return at
			}
		}
		if at == filepath.Dir(at) {
			return ""
		}
	}
}

// tidy removes root when nobody's profile is in it.
func tidy(root string) {
	release, err := hold(root)
	if err != nil {
		return
	}
	defer release()
	entries, err := os.ReadDir(root)
	if err == nil && len(entries) == 1 { // the lock
		os.Remove(filepath.Join(root, ".lock"))
		os.Remove(root)
	}
}

// hold keeps others from making or sweeping profiles in root until release.
func hold(root string) (release func(), err error) {
	f, err := os.OpenFile(filepath.Join(root, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("browser profiles: %w", err)
	}
	if err := flock(f, unix.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("browser profiles: lock %s: %w", f.Name(), err)
	}
	return func() { f.Close() }, nil
}

func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// sweep removes the profiles whose runner is dead.
func sweep(root string) error {
	release, err := hold(root)
	if err != nil {
		return err
	}
	defer release()
	entries, err := os.ReadDir(root)
	if err != nil {
		return fmt.Errorf("browser profiles: %w", err)
	}
	var errs []error
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".lock")
		if !strings.HasPrefix(name, profilePrefix) {
			continue
		}
		path := filepath.Join(root, name)
		f, err := os.OpenFile(path+".lock", os.O_RDWR, 0)
		if err == nil {
			if flock(f, unix.LOCK_EX|unix.LOCK_NB) != nil {
				f.Close()
				continue // its runner lives
			}
		} else if !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, os.RemoveAll(path), ignoreGone(os.Remove(path+".lock")))
		if f != nil {
			f.Close()
		}
	}
	return errors.Join(errs...)
}

func ignoreGone(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// newProfile makes an empty profile that only u can look into.
func newProfile(root string, u User) (*profile, error) {
	release, err := hold(root)
	if err != nil {
		return nil, err
	}
	defer release()
	path, err := os.MkdirTemp(root, profilePrefix)
	if err != nil {
		return nil, fmt.Errorf("browser profile: %w", err)
	}
	p := &profile{path: path}
	p.lock, err = os.OpenFile(path+".lock", os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err == nil {
		err = flock(p.lock, unix.LOCK_EX|unix.LOCK_NB)
	}
	for _, sub := range []string{"tmp", "downloads"} {
		if err == nil {
			err = os.Mkdir(filepath.Join(path, sub), 0o700)
		}
		if err == nil && os.Geteuid() == 0 {
			err = os.Chown(filepath.Join(path, sub), u.UID, u.GID)
		}
	}
	if err == nil && os.Geteuid() == 0 {
		err = os.Chown(path, u.UID, u.GID)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("browser profile: %w", err), p.remove())
	}
	return p, nil
}

// remove deletes the profile; nothing of the browser runs any more.
func (p *profile) remove() error {
	err := os.RemoveAll(p.path)
	if err == nil {
		err = ignoreGone(os.Remove(p.path + ".lock"))
	}
	if p.lock != nil {
		p.lock.Close()
	}
	return err
}
