//go:build linux

package external

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// stream reads a standard stream of the process, and accounts for it.
type stream struct {
	file  *os.File
	p     *process
	first *bytes.Buffer // standard output: the begin, for the handshake
}

const firstSize = 4 << 10

func (s *stream) Read(b []byte) (int, error) {
	n, err := s.file.Read(b)
	if n > 0 {
		s.p.count(n)
		if s.first == nil {
			_, _ = s.p.tail.Write(b[:n])
			s.p.spoken.write(fromStream, b[:n])
		} else if room := firstSize - s.first.Len(); room > 0 {
			s.first.Write(b[:min(n, room)])
		}
	}
	if errors.Is(err, os.ErrClosed) {
		err = io.EOF
	}
	return n, err
}

func (s *stream) Close() error { return s.file.Close() }
