package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/go-rod/rod/lib/proto"
)

// tally counts the requests of one session that may change something on a site.
type tally struct {
	site func(host string) bool
	n    int
}

// count adds a request to the tally of its session, if there is one.
func (c *control) count(session proto.TargetSessionID, params json.RawMessage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tallies[session]
	if t == nil {
		return
	}
	var sent struct {
		Request struct {
			URL    string `json:"url"`
			Method string `json:"method"`
		} `json:"request"`
	}
	if json.Unmarshal(params, &sent) != nil {
		t.n++ // what can't be read may have been anything
		return
	}
	switch sent.Request.Method {
	case "GET", "HEAD", "OPTIONS":
		return
	}
	if u, err := url.Parse(sent.Request.URL); err != nil || t.site(u.Hostname()) {
		t.n++
	}
}

// Writes implements core.BrowserContext.
func (c *Isolated) Writes(ctx context.Context, site func(host string) bool) (stop func() int, err error) {
	session, err := c.attached(ctx)
	if err != nil {
		return nil, fmt.Errorf("watch what the page sends: %w", err)
	}
	ctl := c.process.control
	ctl.mu.Lock()
	ctl.tallies[session] = &tally{site: site}
	ctl.mu.Unlock()
	if err := (proto.NetworkEnable{}).Call(ctl.on(ctx, session)); err != nil {
		ctl.mu.Lock()
		delete(ctl.tallies, session)
		ctl.mu.Unlock()
		return nil, fmt.Errorf("watch what the page sends: %w", err)
	}
	return func() int {
		// A round trip: what the page sent before has been counted when it answers.
		late := (proto.NetworkDisable{}).Call(ctl.on(context.WithoutCancel(ctx), session))
		ctl.mu.Lock()
		defer ctl.mu.Unlock()
		n := ctl.tallies[session].n
		delete(ctl.tallies, session)
		if late != nil {
			n++ // nobody counted to the end
		}
		return n
	}, nil
}
