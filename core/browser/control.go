package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/go-rod/rod/lib/cdp"
	"github.com/go-rod/rod/lib/proto"
)

// control is the runner's own connection to a browser: it makes and ends
// contexts, takes pictures, and hears which targets go. Drivers have others.
type control struct {
	ws     *cdp.WebSocket
	client *cdp.Client
	alive  context.Context // ends with the connection
	ended  context.CancelFunc

	mu      sync.Mutex
	targets map[proto.TargetTargetID]func() // called once, when the target has gone
	tallies map[proto.TargetSessionID]*tally
	hearers map[proto.TargetSessionID]func(*cdp.Event)
}

var errNoControl = errors.New("the connection to the browser is gone")

// checkedSocket lets only whole JSON objects through: the client panics on
// anything else, in a goroutine of its own.
type checkedSocket struct{ *cdp.WebSocket }

func (s checkedSocket) Read() ([]byte, error) {
	data, err := s.WebSocket.Read()
	if err == nil && (len(data) == 0 || data[0] != '{' || !json.Valid(data)) {
		s.Close()
		return nil, errors.New("the browser sent something that is not the DevTools protocol")
	}
	return data, err
}

// dialControl connects to endpoint, which must be on the loopback interface.
func dialControl(ctx context.Context, endpoint string) (*control, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "ws" || u.Hostname() != "127.0.0.1" {
		return nil, fmt.Errorf("the browser's DevTools address %q is not on 127.0.0.1", endpoint)
	}
	c := &control{ws: &cdp.WebSocket{}, targets: map[proto.TargetTargetID]func(){}, tallies: map[proto.TargetSessionID]*tally{},
		hearers: map[proto.TargetSessionID]func(*cdp.Event){}}
	c.alive, c.ended = context.WithCancel(context.Background())
	if err := c.ws.Connect(ctx, endpoint, nil); err != nil {
		return nil, fmt.Errorf("connect to the browser: %w", err)
	}
	c.client = cdp.New().Start(checkedSocket{c.ws})
	go c.listen()
	if err := (proto.TargetSetDiscoverTargets{
		Discover: true,
		Filter:   proto.TargetTargetFilter{{Type: "page"}},
	}).Call(c.on(ctx, "")); err != nil {
		c.close()
		return nil, fmt.Errorf("watch the browser's pages: %w", err)
	}
	return c, nil
}

// listen hears events until the connection ends.
func (c *control) listen() {
	defer c.ended()
	for e := range c.client.Event() {
		var id struct {
			TargetID proto.TargetTargetID `json:"targetId"`
		}
		switch e.Method {
		case "Target.targetDestroyed", "Target.targetCrashed":
			if json.Unmarshal(e.Params, &id) == nil {
				c.lost(id.TargetID)
			}
		case "Network.requestWillBeSent":
			c.count(proto.TargetSessionID(e.SessionID), e.Params)
		default:
			c.tell(e)
		}
	}
}

func (c *control) lost(id proto.TargetTargetID) {
	c.mu.Lock()
	gone := c.targets[id]
	delete(c.targets, id)
	c.mu.Unlock()
	if gone != nil {
		gone()
	}
}

// watch calls gone when the target has been closed or has crashed.
func (c *control) watch(id proto.TargetTargetID, gone func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.targets[id] = gone
}

func (c *control) unwatch(id proto.TargetTargetID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.targets, id)
}

// hear gives the events of a session to f, which must not wait, until unhear.
func (c *control) hear(session proto.TargetSessionID, f func(*cdp.Event)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hearers[session] = f
}

func (c *control) unhear(session proto.TargetSessionID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.hearers, session)
}

func (c *control) tell(e *cdp.Event) {
	c.mu.Lock()
	f := c.hearers[proto.TargetSessionID(e.SessionID)]
	c.mu.Unlock()
	if f != nil {
		f(e)
	}
}

func (c *control) close() {
	c.ws.Close()
	<-c.alive.Done()
}

// caller is a session of a connection under a context: what proto's Call needs.
type caller struct {
	control *control
	ctx     context.Context
	session proto.TargetSessionID
}

// on returns a caller for the session, the browser's own when it is empty. ctx
// should have a deadline; a call without one gets ten seconds.
func (c *control) on(ctx context.Context, session proto.TargetSessionID) caller {
	return caller{c, ctx, session}
}

// Call sends one command and waits for its answer, until the context ends or
// the connection does.
func (c caller) Call(ctx context.Context, session, method string, params any) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	defer context.AfterFunc(c.control.alive, cancel)()
	out, err := c.control.client.Call(ctx, session, method, params)
	if err != nil {
		if c.control.alive.Err() != nil {
			err = errNoControl
		}
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	return out, nil
}

// callWithin bounds every call of the control connection.
const callWithin = 10 * time.Second

// send sends a command and does not wait for its answer. The browser takes the
// commands of one connection in order.
func (c *control) send(session proto.TargetSessionID, command proto.Request) error {
	over, cancel := context.WithCancel(context.Background())
	cancel() // the client sends first and looks at its context afterwards
	_, err := c.client.Call(over, string(session), command.ProtoReq(), command)
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: %w", command.ProtoReq(), err)
	}
	return nil
}

func (c caller) GetContext() context.Context         { return c.ctx }
func (c caller) GetSessionID() proto.TargetSessionID { return c.session }
