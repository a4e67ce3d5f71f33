package secret

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

// lineCap is the number of bytes of one line that are held back while its end
// is waited for.
const lineCap = 64 << 10

// LineWriter redacts a byte stream line by line. It is safe for concurrent use.
type LineWriter struct {
	mu  sync.Mutex
	w   io.Writer
	r   *Redactor
	buf []byte
}

// Writer returns a writer that removes r's secrets from what goes to w, also
// when one arrives in several writes: text is passed on when its line is
// complete. A line longer than 64 KiB is passed on piece by piece; what could be
// the beginning of a secret stays back, up to 32 KiB, so only a secret with an
// encoded form longer than that can escape. Flush or Close writes the last,
// unfinished line.
func Writer(w io.Writer, r *Redactor) *LineWriter { return &LineWriter{w: w, r: r} }

// Write takes all of p unless w fails, whose error it returns; what was held
// back for a failed write is dropped, so that a later line can go out.
func (l *LineWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = append(l.buf, p...)
	if end := bytes.LastIndexByte(l.buf, '\n'); end >= 0 {
		if err := l.emit(end + 1); err != nil {
			return 0, err
		}
	}
	for len(l.buf) > lineCap {
		if err := l.emit(l.safe()); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// Flush writes what is held back.
func (l *LineWriter) Flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.emit(len(l.buf))
}

// Close flushes, and closes w when it can be closed.
func (l *LineWriter) Close() error {
	err := l.Flush()
	if c, ok := l.w.(io.Closer); ok {
		err = errors.Join(err, c.Close())
	}
	return err
}

// emit writes the first n bytes of the buffer, redacted.
func (l *LineWriter) emit(n int) error {
	if n == 0 {
		return nil
	}
	text := l.r.Redact(string(l.buf[:n]))
	l.buf = append(l.buf[:0], l.buf[n:]...)
	_, err := io.WriteString(l.w, text)
	return err
}

// safe is how much of an overlong line can go out now: neither within a secret
// nor within the last bytes, where one may have begun.
func (l *LineWriter) safe() int {
	f := l.r.current()
	if f == nil {
		return len(l.buf)
	}
	at := len(l.buf) - min(f.longest, lineCap/2)
	for _, s := range f.find(string(l.buf)) {
		if s.from < at && at < s.to {
			at = s.from
			if at == 0 {
				at = s.to // the whole piece is secrets: it goes out as one mask
			}
			break
		}
	}
	return at
}
