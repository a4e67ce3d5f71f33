package browser

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/cdp"
	"github.com/go-rod/rod/lib/proto"

	"github.com/rollcall-run/rollcall/core"
)

// rodPage is a connection of its own to the page's browser.
type rodPage struct {
	socket *cdp.WebSocket
	cancel context.CancelFunc
	page   *rod.Page
}

func (r *rodPage) close() {
	r.cancel()
	r.socket.Close() // the connection ends, the browser is the runner's
}

// Rod is the tab as go-rod's page, for what the verbs can't do. It is connected
// at the first call and lasts until Close, under the phase's context. An error is
// the page's as well; those of go-rod itself are the caller's, and Fail makes one
// the page's.
//
// A call of go-rod that never returns holds up the later ones: give each a
// Timeout. What it does is not on the time line, and the proof of a sign-up stays
// with Commit.
func (p *Page) Rod() (*rod.Page, error) {
	if p.end != nil {
		return nil, errOver
	}
	if p.err == nil && p.rod == nil {
		p.rod = p.connect()
	}
	if p.err != nil {
		return nil, p.err
	}
	return p.rod.page, nil
}

var errOver = errors.New("the phase has ended: return what Finish gives")

func (p *Page) connect() *rodPage {
	fail := func(err error) *rodPage {
		p.Fail(&core.Fault{Code: core.Crashed, Verb: "rod", Why: fmt.Sprintf("can't connect go-rod to the tab: %v", err)})
		return nil
	}
	r := &rodPage{socket: &cdp.WebSocket{}}
	if err := r.socket.Connect(p.ctx, p.session.ControlURL, nil); err != nil {
		return fail(err)
	}
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(p.ctx)
	b := rod.New().Context(ctx).Client(cdp.New().Start(r.socket)).NoDefaultDevice()
	err := b.Connect()
	if err == nil {
		r.page, err = b.PageFromTarget(proto.TargetTargetID(p.session.TargetID))
	}
	if err != nil {
		r.close()
		return fail(err)
	}
	return r
}
