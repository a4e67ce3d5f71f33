//go:build !linux

package control

import (
	"fmt"
	"net"
)

// peerOf leaves it to the socket's mode who may connect.
func peerOf(net.Conn) peer { return peer{} }

func short(path string) (address string, free func(), err error) {
	if len(path) > maxAddress {
		return "", nil, fmt.Errorf("%s is too long for a socket: %d bytes, at most %d; choose a shorter [state] dir", path, len(path), maxAddress)
	}
	return path, func() {}, nil
}
