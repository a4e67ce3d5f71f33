package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/go-rod/rod/lib/cdp"
	"github.com/go-rod/rod/lib/proto"
)

// errLost is why calls fail once the socket to the browser is gone, errCrashed
// once the renderer is, errClosed once the tab is, with its context or alone, and
// errGone when the document they spoke to is.
var (
	errLost    = errors.New("the connection to the browser was lost")
	errCrashed = errors.New("the page's process crashed")
	errClosed  = errors.New("the tab was closed")
	errGone    = errors.New("the document is gone")
)

// conn is one DevTools connection. Calls are pipelined: send returns at once and
// the answer is waited for apart. Events are handed over in order, from the one
// goroutine that reads; the handler may send but must not wait.
type conn struct {
	ws      *cdp.WebSocket
	handle  func(session, method string, params json.RawMessage)
	mu      sync.Mutex
	last    int
	pending map[int]*call
	err     error
	ended   chan struct{}
}

// call is one request that was sent.
type call struct {
	session, world string // the world whose end ends the call; empty for none
	done           chan struct{}
	result         json.RawMessage
	err            error
}

// dialer keeps the connection, so that a handshake can be broken off.
type dialer struct{ got net.Conn }

func (d *dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	var nd net.Dialer
	c, err := nd.DialContext(ctx, network, address)
	d.got = c
	return c, err
}

// dial connects to the DevTools endpoint of a browser: its ws:// address, or the
// http:// address that names it.
func dial(ctx context.Context, control string, handle func(session, method string, params json.RawMessage)) (*conn, error) {
	address, err := endpoint(ctx, control)
	if err != nil {
		return nil, err
	}
	d := &dialer{}
	ws := &cdp.WebSocket{Dialer: d}
	stop := context.AfterFunc(ctx, func() {
		if d.got != nil {
			_ = d.got.Close()
		}
	})
	err = ws.Connect(ctx, address, nil)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		if d.got != nil {
			_ = d.got.Close()
		}
		return nil, fmt.Errorf("can't reach the browser: %w", err)
	}
	c := &conn{ws: ws, handle: handle, pending: map[int]*call{}, ended: make(chan struct{})}
	go c.read()
	return c, nil
}

func endpoint(ctx context.Context, control string) (string, error) {
	u, err := url.Parse(control)
	if err != nil {
		return "", fmt.Errorf("the browser's address is not a URL")
	}
	if u.Scheme == "ws" {
		return control, nil
	}
	if u.Scheme != "http" {
		return "", fmt.Errorf("the browser's address must be ws:// or http://, not %s://", u.Scheme)
	}
	u.Path = "/json/version"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("can't reach the browser: %w", err)
	}
	defer res.Body.Close()
	var v struct {
		URL string `json:"webSocketDebuggerUrl"`
	}
	if err := json.NewDecoder(res.Body).Decode(&v); err != nil || v.URL == "" {
		return "", fmt.Errorf("no browser answers at %s", u.Host)
	}
	return v.URL, nil
}

// send sends one request without waiting for its answer.
func (c *conn) send(session string, r proto.Request) *call {
	return c.sendTo(session, "", r.ProtoReq(), r)
}

func (c *conn) sendTo(session, world, method string, params any) *call {
	k := &call{session: session, world: world, done: make(chan struct{})}
	c.mu.Lock()
	if c.err != nil {
		k.finish(nil, c.err)
		c.mu.Unlock()
		return k
	}
	c.last++
	id := c.last
	c.pending[id] = k
	c.mu.Unlock()
	data, err := json.Marshal(cdp.Request{ID: id, SessionID: session, Method: method, Params: params})
	if err == nil {
		err = c.ws.Send(data)
	}
	if err != nil {
		c.settle(id, nil, fmt.Errorf("%w: %s", errLost, method))
	}
	return k
}

func (k *call) finish(result json.RawMessage, err error) {
	k.result, k.err = result, err
	close(k.done)
}

func (c *conn) settle(id int, result json.RawMessage, err error) {
	c.mu.Lock()
	k := c.pending[id]
	delete(c.pending, id)
	c.mu.Unlock()
	if k != nil {
		k.finish(result, err)
	}
}

// fail ends every pending call that is of the session, and of the world if one
// is named.
func (c *conn) fail(session, world string, err error) {
	c.mu.Lock()
	var failed []*call
	for id, k := range c.pending {
		if (session == "" || k.session == session) && (world == "" || k.world == world) {
			failed = append(failed, k)
			delete(c.pending, id)
		}
	}
	c.mu.Unlock()
	for _, k := range failed {
		k.finish(nil, err)
	}
}

// wait waits for the answer and decodes it into out, which may be nil.
func (k *call) wait(ctx context.Context, out any) error {
	select {
	case <-k.done:
	case <-ctx.Done():
		select {
		case <-k.done:
		default:
			return ctx.Err()
		}
	}
	if k.err != nil {
		return k.err
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(k.result, out)
}

// read hands on answers and events until the socket ends.
func (c *conn) read() {
	defer close(c.ended)
	for {
		data, err := c.ws.Read()
		if err != nil {
			c.mu.Lock()
			c.err = errLost
			c.mu.Unlock()
			c.fail("", "", errLost)
			c.handle("", "", nil)
			return
		}
		m, ok := readMessage(data)
		if !ok {
			continue
		}
		switch {
		case m.ID == 0:
			c.handle(m.SessionID, m.Method, m.Params)
		case m.Error != nil:
			c.settle(m.ID, nil, worldEnded(m.Error))
		default:
			c.settle(m.ID, m.Result, nil)
		}
	}
}

// worldEnded recognises the answers that say that the document is no more.
func worldEnded(e *cdp.Error) error {
	for _, s := range []string{"Cannot find context", "context was destroyed", "uniqueContextId not found", "navigated or closed", "Cannot find execution context", "Promise was collected", "Could not find object"} {
		if strings.Contains(e.Message, s) {
			return fmt.Errorf("%w: %s", errGone, e.Message)
		}
	}
	return e
}

// close ends the connection; pending calls fail.
func (c *conn) close() {
	_ = c.ws.Close()
	<-c.ended
}
