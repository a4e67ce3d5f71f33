package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ServedError says that a living runner serves the socket.
type ServedError struct {
	Path string
	PID  int // 0 when the lock file does not say
}

func (e *ServedError) Error() string {
	who := "another runner"
	if e.PID != 0 {
		who += ", process " + strconv.Itoa(e.PID) + ","
	}
	return fmt.Sprintf("%s serves %s; stop it first, or give each runner its own [state] dir", who, e.Path)
}

// maxAddress is the longest address of a unix socket in bytes; macOS has 104
// with the final zero.
const maxAddress = 103

// socket is the listener, and the lock that makes its file this process's.
type socket struct {
	net.Listener
	path string
	lock *os.File
}

// listen makes the socket. The lock goes with its process, so whoever has it
// knows that a socket file is a dead process's.
func listen(path string) (*socket, error) {
	lock, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	l := &socket{path: path, lock: lock}
	if err := l.take(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if err := l.open(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return l, nil
}

func (l *socket) take() error {
	if err := unix.Flock(int(l.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return fmt.Errorf("lock %s.lock: %w", l.path, err)
		}
		said := make([]byte, 20)
		n, _ := l.lock.ReadAt(said, 0) // what can't be read names no process
		pid, _ := strconv.Atoi(strings.TrimSpace(string(said[:n])))
		return &ServedError{Path: l.path, PID: pid}
	}
	if err := l.lock.Truncate(0); err != nil {
		return err
	}
	_, err := l.lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

func (l *socket) open() error {
	info, err := os.Lstat(l.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is there and is no socket; move it away", l.path)
	default:
		if err := os.Remove(l.path); err != nil {
			return err
		}
	}
	address, free, err := short(l.path)
	if err != nil {
		return err
	}
	defer free()
	u, err := net.ListenUnix("unix", &net.UnixAddr{Name: address, Net: "unix"})
	if err != nil {
		return err
	}
	u.SetUnlinkOnClose(false) // the short address may mean another file by then
	if err := os.Chmod(l.path, 0o600); err != nil {
		return errors.Join(err, u.Close(), os.Remove(l.path))
	}
	l.Listener = u
	return nil
}

// release removes the socket, then lets the next runner have it.
func (l *socket) release() error {
	err := os.Remove(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, l.lock.Close())
}

// dial connects, and hangs up on a runner of another user.
func dial(ctx context.Context, path string) (net.Conn, error) {
	address, free, err := short(path)
	if err != nil {
		return nil, err
	}
	defer free()
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", address)
	if err != nil {
		return nil, err
	}
	p := peerOf(c)
	if p.err == nil && p.known && !asks(os.Geteuid(), p.uid) {
		p.err = fmt.Errorf("a process of user id %d serves it, which is not yours; look who made %s", p.uid, filepath.Dir(path))
	}
	if p.err != nil {
		return nil, errors.Join(p.err, c.Close())
	}
	return c, nil
}

// serves reports whether a runner of user own answers a command of user other.
func serves(own, other int) bool { return other == own || other == 0 }

// asks reports whether a command of user own trusts a runner of user other.
func asks(own, other int) bool { return other == own || other == 0 || own == 0 }

// peer is who is at the other end of a connection.
type peer struct {
	uid   int
	known bool // false where the system does not say
	err   error
}
