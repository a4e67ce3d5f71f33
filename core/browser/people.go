package browser

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/page"
)

// Human lets a person act on the page until they say that it is done, or until a
// sign shows. core.ErrAway passes through: the phase ends and is entered again.
func (p *Page) Human(ctx context.Context, code core.Code, say string, s *Signs) (Seen, error) {
	return p.run(ctx, "human", nil, ActionTime, func(ctx context.Context, v *verb) (Seen, error) {
		if err := s.Check(); err != nil {
			return Seen{}, err
		}
		if err := p.settle(ctx, v, true); err != nil {
			return Seen{}, err
		}
		m, err := p.remember(ctx, v, s)
		if err != nil {
			return Seen{}, err
		}
		p.hold(true)
		defer p.hold(false)
		ask := core.Ask{Kind: core.AskAct, Code: code, Say: p.clip(say, 300), URL: p.here()}
		if s == nil {
			if _, err := p.s.Services.Human(ctx, ask); err != nil {
				return Seen{}, page.ServiceError{Err: err}
			}
			return Seen{}, nil
		}
		asking, stopAsking := context.WithCancel(ctx)
		defer stopAsking()
		watching, stopWatching := context.WithCancel(ctx)
		defer stopWatching()
		answered := make(chan error, 1)
		go func() {
			_, err := p.s.Services.Human(asking, ask)
			if err != nil {
				stopWatching()
			} else {
				p.hold(false)
			}
			answered <- err
		}()
		type result struct {
			seen Seen
			err  error
		}
		watched := make(chan result, 1)
		go func() {
			// A person has all the time that the ask has: only the context ends this wait.
			for {
				seen, err := p.watch(watching, v, m, *s, page.MaxSignTime, watchOptions{person: true})
				if err == nil || watching.Err() != nil || !timedOut(err) {
					watched <- result{seen, err}
					return
				}
			}
		}()
		select {
		case r := <-watched:
			stopAsking()
			askErr := <-answered
			if r.err != nil && askErr != nil && !errors.Is(askErr, context.Canceled) {
				return Seen{}, page.ServiceError{Err: askErr}
			}
			return r.seen, r.err
		case err := <-answered:
			if err != nil {
				stopWatching()
				if r := <-watched; r.err == nil {
					return r.seen, nil
				}
				return Seen{}, page.ServiceError{Err: err}
			}
		}
		limit := s.Limit(SignTime)
		select {
		case r := <-watched:
			return r.seen, r.err
		case <-time.After(limit):
			stopWatching()
			if r := <-watched; r.err == nil {
				return r.seen, nil
			}
			return p.watch(ctx, v, m, *s, 0, watchOptions{status: true})
		}
	})
}

func timedOut(err error) bool {
	var f *core.Fault
	return errors.As(err, &f) && (f.Code == core.LayoutChanged || f.Code == core.Timeout)
}

// hold switches the automatic answer to dialogs off while a person has the page.
func (p *Page) hold(on bool) {
	p.mu.Lock()
	p.st.held = on
	p.mu.Unlock()
}

func (p *Page) here() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.safeURL(p.st.url)
}

// Ask asks a person for a text: a code, an answer. It is a secret.
func (p *Page) Ask(ctx context.Context, code core.Code, say string) (core.Value, error) {
	var answer core.Answer
	_, err := p.run(ctx, "ask", nil, ActionTime, func(ctx context.Context, _ *verb) (Seen, error) {
		var err error
		answer, err = p.s.Services.Human(ctx, core.Ask{Kind: core.AskAnswer, Code: code, Say: p.clip(say, 300), URL: p.here()})
		if err != nil {
			return Seen{}, page.ServiceError{Err: err}
		}
		return Seen{}, nil
	})
	if err != nil {
		return core.Value{}, err
	}
	return core.Secret(answer.Text.Reveal()), nil
}

// Agree has the terms accepted that stand beside a box, and then checks it; what
// is no box is clicked. The ask carries the address of the terms and the SHA-256
// of their text. Of terms on another site, whose text the page can't read, the
// label's text and the address are hashed.
func (p *Page) Agree(ctx context.Context, loc Locator, s *Signs) (Seen, error) {
	return p.run(ctx, "agree", loc, ActionTime, func(ctx context.Context, v *verb) (Seen, error) {
		t, err := p.find(ctx, v, "group", nil)
		if err != nil {
			return Seen{}, err
		}
		var r struct{ Label, URL, Text string }
		if err := p.at(ctx, v.until, t.world, "terms", map[string]any{"handle": t.handle}, &r); err != nil {
			return Seen{}, err
		}
		hashed := r.Text
		if hashed == "" {
			hashed = r.Label + "\n" + r.URL
		}
		sum := sha256.Sum256([]byte(hashed))
		ask := core.Ask{Kind: core.AskAgree, Code: core.Terms, Say: p.clip(r.Label, 300), URL: p.safeURL(r.URL), Hash: hex.EncodeToString(sum[:])}
		if _, err := p.s.Services.Human(ctx, ask); err != nil {
			return Seen{}, page.ServiceError{Err: err}
		}
		v.until = time.Now().Add(ActionTime)
		want := "click"
		if role := t.info.Role; t.info.Type == "checkbox" || t.info.Type == "radio" || role == "checkbox" || role == "switch" {
			want = "group"
		}
		if t, err = p.look(ctx, v, v.loc, want, s); err != nil {
			return Seen{}, err
		}
		if want == "group" {
			return p.check(ctx, v, t, true, s)
		}
		p.begin(s != nil)
		return p.finish(ctx, v, t, p.press(t.x, t.y), s)
	})
}
