package mail

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"
)

// maxTraffic bounds what one operation may bring, in bytes.
const maxTraffic = 32 << 20

var errTraffic = errors.New("the server sent more than 32 MB for one operation")

// guard is a connection whose deadlines only its owner sets: the client library
// sets none that help, and would undo these.
type guard struct {
	net.Conn
	left atomic.Int64 // bytes that may still be read
}

func (g *guard) SetDeadline(time.Time) error      { return nil }
func (g *guard) SetReadDeadline(time.Time) error  { return nil }
func (g *guard) SetWriteDeadline(time.Time) error { return nil }

func (g *guard) Read(p []byte) (int, error) {
	if g.left.Load() <= 0 {
		return 0, errTraffic
	}
	n, err := g.Conn.Read(p)
	g.left.Add(-int64(n))
	return n, err
}

// do runs one operation: it ends by the timeout, or when ctx ends, by failing
// the connection.
func (g *guard) do(ctx context.Context, timeout time.Duration, op func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g.left.Store(maxTraffic)
	if err := g.Conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { g.Conn.Close() })
	err := op()
	if !stop() {
		return context.Cause(ctx)
	}
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("no answer within %s: %w", timeout, err)
		}
		return err
	}
	return g.Conn.SetDeadline(time.Time{})
}

// connect dials the server and agrees on TLS. The error names the server.
func (s *server) connect(ctx context.Context, timeout time.Duration, options *imapclient.Options) (*guard, *imapclient.Client, error) {
	dialer := net.Dialer{Timeout: timeout}
	raw, err := dialer.DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return nil, nil, fmt.Errorf("mail server %s: %w", s.addr, err)
	}
	g := &guard{Conn: raw}
	var c *imapclient.Client
	err = g.do(ctx, timeout, func() error {
		switch {
		case s.implicit:
			t := newTLS(g, s)
			if err := t.HandshakeContext(ctx); err != nil {
				return fmt.Errorf("TLS: %w", err)
			}
			c = imapclient.New(t, options)
		case s.plain:
			c = imapclient.New(g, options)
		default:
			with := *options
			with.TLSConfig = s.tls.Clone()
			var err error
			if c, err = imapclient.NewStartTLS(g, &with); err != nil {
				return fmt.Errorf("STARTTLS: %w", err)
			}
		}
		return c.WaitGreeting()
	})
	if err != nil {
		raw.Close()
		if c != nil {
			c.Close()
		}
		return nil, nil, fmt.Errorf("mail server %s: %w", s.addr, err)
	}
	return g, c, nil
}
