package egress

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// upstream is a connection to the site that carries bytes only while its term
// is open.
type upstream struct {
	net.Conn
	term *term
	raw  syscall.RawConn // nil when the connection has no descriptor
	gone sync.Once
}

// adopt wraps and keeps c, or closes it when nothing may pass any more.
func (t *term) adopt(c net.Conn) (net.Conn, error) {
	u := &upstream{Conn: c, term: t}
	if s, ok := c.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			u.raw = raw
		}
	}
	t.mu.Lock()
	t.sites[u] = struct{}{}
	t.mu.Unlock()
	if err := t.open(); err != nil {
		u.reset()
		return nil, err
	}
	return u, nil
}

// Read reads from the site. Bytes that arrive past the fence are not returned.
func (u *upstream) Read(p []byte) (int, error) {
	u.SetReadDeadline(time.Now().Add(u.term.gate.proxy.o.Timeouts.Idle))
	n, err := u.Conn.Read(p)
	if shut := u.term.open(); shut != nil {
		u.reset()
		return 0, shut
	}
	return n, err
}

// Write writes to the site. The fence is looked at before each system call, so
// a process that was paused within a long write sends no more of it.
func (u *upstream) Write(p []byte) (int, error) {
	u.SetWriteDeadline(time.Now().Add(u.term.gate.proxy.o.Timeouts.Idle))
	if u.raw == nil {
		if err := u.term.open(); err != nil {
			u.reset()
			return 0, err
		}
		return u.Conn.Write(p)
	}
	var sent int
	var fail error
	err := u.raw.Write(func(fd uintptr) bool {
		for sent < len(p) {
			if fail = u.term.open(); fail != nil {
				return true
			}
			n, err := syscall.Write(int(fd), p[sent:])
			sent += max(n, 0)
			switch {
			case errors.Is(err, syscall.EINTR):
			case errors.Is(err, syscall.EAGAIN):
				return false
			case err != nil:
				fail = &net.OpError{Op: "write", Net: "tcp", Addr: u.RemoteAddr(), Err: os.NewSyscallError("write", err)}
				return true
			case n == 0:
				fail = io.ErrUnexpectedEOF
				return true
			}
		}
		return true
	})
	if fail != nil {
		if errors.Is(fail, errFenced) || errors.Is(fail, errShut) {
			u.reset()
		}
		return sent, fail
	}
	return sent, err
}

// CloseWrite ends this direction only.
func (u *upstream) CloseWrite() error {
	if c, ok := u.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// Close closes the connection; what was written is still delivered.
func (u *upstream) Close() error {
	u.forget()
	return u.Conn.Close()
}

// reset closes the connection and throws away what the kernel has not sent.
func (u *upstream) reset() {
	if c, ok := u.Conn.(interface{ SetLinger(int) error }); ok {
		c.SetLinger(0)
	}
	u.Close()
}

func (u *upstream) forget() {
	u.gone.Do(func() {
		u.term.mu.Lock()
		defer u.term.mu.Unlock()
		delete(u.term.sites, u)
	})
}
