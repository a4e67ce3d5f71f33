package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"syscall"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// ErrNoRunner is returned by Dial when nobody serves the socket.
var ErrNoRunner = errors.New("no runner answers")

// helloTime bounds how long a runner may take to say that it is there.
const helloTime = 10 * time.Second

// Client is core.Admin of a running runner. Secrets of what it returns are
// masked. It is safe for concurrent use.
type Client struct {
	path string
	http *http.Client
	// PID, Version and Goroutines are the runner's, as they were when it was reached.
	PID        int
	Version    string
	Goroutines int
}

var _ core.Admin = (*Client)(nil)

// Dial reaches the runner that serves path. ErrNoRunner when there is none.
func Dial(ctx context.Context, path string) (*Client, error) {
	c := &Client{path: path, http: &http.Client{Transport: &http.Transport{
		DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, path) },
		DisableCompression: true, MaxIdleConns: 1, IdleConnTimeout: idleTime / 2,
	}}}
	ctx, cancel := context.WithTimeout(ctx, helloTime)
	defer cancel()
	h, err := one[hello](ctx, c, "Hello", noRequest{})
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		err = ErrNoRunner
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("control socket %s: %w", path, err)
	}
	c.PID, c.Version, c.Goroutines = h.PID, h.Version, h.Goroutines
	return c, nil
}

// Close ends the connection. The client must not be used afterwards.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// call sends one request and gives each item of the answer to f.
func (c *Client) call(ctx context.Context, name string, request any, f func(json.RawMessage) error) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	if most := mostOf(name); len(body) > most {
		return fmt.Errorf("that is too much for the control socket: %d bytes, at most %d", len(body), most)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://rollcall"+prefix+name, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var inner interface{ Unwrap() error }
		if errors.As(err, &inner) && inner.Unwrap() != nil {
			err = inner.Unwrap() // without the made-up address
		}
		return fmt.Errorf("the runner at %s: %w", c.path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var m message
		if err := decode(lines.Bytes(), &m); err != nil {
			return fmt.Errorf("the runner's answer can't be read: %w", err)
		}
		switch {
		case m.Fail != nil:
			return m.Fail.err()
		case m.End:
			return nil
		case m.Item == nil:
			return errors.New("the runner's answer can't be read: a line has no item")
		}
		if err := f(m.Item); err != nil {
			return err
		}
	}
	err = lines.Err()
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return fmt.Errorf("the runner's answer was cut; it may have stopped: %w", err)
}

// items decodes each item and gives it to f.
func items[T any](ctx context.Context, c *Client, name string, request any, f func(T) error) error {
	return c.call(ctx, name, request, func(data json.RawMessage) error {
		var item T
		if err := decode(data, &item); err != nil {
			return fmt.Errorf("the runner's answer can't be read; use the same rollcall for both: %w", err)
		}
		return f(item)
	})
}

func list[T any](ctx context.Context, c *Client, name string, request any) ([]T, error) {
	var out []T
	err := items(ctx, c, name, request, func(item T) error { out = append(out, item); return nil })
	if err != nil {
		return nil, err
	}
	return out, nil
}

func one[T any](ctx context.Context, c *Client, name string, request any) (T, error) {
	all, err := list[T](ctx, c, name, request)
	if err == nil && len(all) != 1 {
		err = fmt.Errorf("the runner answered %s with %d items, not one", name, len(all))
	}
	if err != nil {
		var zero T
		return zero, err
	}
	return all[0], nil
}

// none is for calls that answer nothing.
func (c *Client) none(ctx context.Context, name string, request any) error {
	return c.call(ctx, name, request, func(json.RawMessage) error {
		return fmt.Errorf("the runner answered %s with an item, which has none", name)
	})
}

// Tasks implements core.Admin.
func (c *Client) Tasks(ctx context.Context, f core.TaskFilter) ([]core.Record, error) {
	var out []core.Record
	err := items(ctx, c, "Tasks", f, func(d recordDoc) error { out = append(out, d.record()); return nil })
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Task implements core.Admin.
func (c *Client) Task(ctx context.Context, id string) (core.Record, error) {
	d, err := one[recordDoc](ctx, c, "Task", taskRequest{ID: id})
	if err != nil {
		return core.Record{}, err
	}
	return d.record(), nil
}

// Events implements core.Admin.
func (c *Client) Events(ctx context.Context, id string) ([]core.Event, error) {
	return list[core.Event](ctx, c, "Events", taskRequest{ID: id})
}

// Resolve implements core.Admin.
func (c *Client) Resolve(ctx context.Context, id string, v core.Verdict, by string) error {
	return c.none(ctx, "Resolve", resolveRequest{ID: id, Verdict: v, By: by})
}

// Retry implements core.Admin.
func (c *Client) Retry(ctx context.Context, id, by string) error {
	return c.none(ctx, "Retry", retryRequest{ID: id, By: by})
}

// Sites implements core.Admin.
func (c *Client) Sites(ctx context.Context) ([]core.SiteStatus, error) {
	return list[core.SiteStatus](ctx, c, "Sites", noRequest{})
}

// PauseSite implements core.Admin.
func (c *Client) PauseSite(ctx context.Context, domain, why string) error {
	return c.none(ctx, "PauseSite", siteRequest{Domain: domain, Why: why})
}

// ResumeSite implements core.Admin.
func (c *Client) ResumeSite(ctx context.Context, domain string) error {
	return c.none(ctx, "ResumeSite", siteRequest{Domain: domain})
}

// Asks implements core.Admin.
func (c *Client) Asks(ctx context.Context, all bool) ([]core.AskRow, error) {
	return list[core.AskRow](ctx, c, "Asks", asksRequest{All: all})
}

// AnswerAsk implements core.Admin.
func (c *Client) AnswerAsk(ctx context.Context, id, text, by string) error {
	return c.none(ctx, "AnswerAsk", answerRequest{ID: id, Text: text, By: by})
}

// Accounts implements core.Admin. Passwords and one-time-code secrets are masked.
func (c *Client) Accounts(ctx context.Context, f func(core.Account) error) error {
	return items(ctx, c, "Accounts", accountRequest{}, func(d accountDoc) error { return f(d.account()) })
}

// RevealAccounts is Accounts with the real texts.
func (c *Client) RevealAccounts(ctx context.Context, f func(core.Account) error) error {
	return items(ctx, c, "Accounts", accountRequest{Reveal: true}, func(d accountDoc) error { return f(d.account()) })
}

// Summary implements core.Admin.
func (c *Client) Summary(ctx context.Context) ([]core.SiteCount, error) {
	return list[core.SiteCount](ctx, c, "Summary", noRequest{})
}

// Backup implements core.Admin. The runner writes the file; path may be relative
// to this process's working directory.
func (c *Client) Backup(ctx context.Context, path string) error {
	if path != "" {
		abs, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		path = abs
	}
	return c.none(ctx, "Backup", backupRequest{Path: path})
}
