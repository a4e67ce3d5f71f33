package control

import (
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// peerOf asks the kernel who made the connection.
func peerOf(c net.Conn) peer {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return peer{err: fmt.Errorf("a %T has no peer", c)}
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return peer{err: err}
	}
	p := peer{known: true}
	err = raw.Control(func(fd uintptr) {
		var cred *unix.Ucred
		if cred, p.err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); p.err == nil {
			p.uid = int(cred.Uid)
		}
	})
	if err != nil {
		p.err = err
	}
	return p
}

// short gives an address that fits into a socket's: a long path is reached
// through a descriptor of its directory, which lives until free is called.
func short(path string) (address string, free func(), err error) {
	if len(path) <= maxAddress {
		return path, func() {}, nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	address = fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path))
	return address, func() { _ = dir.Close() }, nil
}
