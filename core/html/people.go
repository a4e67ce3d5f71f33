package html

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"
	"strings"

	dom "golang.org/x/net/html"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/page"
)

// Human has no meaning here: there is no page that a person could act on.
func (p *Page) Human(ctx context.Context, _ core.Code, _ string, _ *page.Signs) (page.Seen, error) {
	return p.run(ctx, "human", nil, func(context.Context, *verb) (page.Seen, error) {
		return page.Seen{}, noBrowser("human, which lets a person act on the page,")
	})
}

// Ask asks a person for a text: a code, an answer. It is a secret.
func (p *Page) Ask(ctx context.Context, code core.Code, say string) (core.Value, error) {
	var answer core.Answer
	_, err := p.run(ctx, "ask", nil, func(ctx context.Context, _ *verb) (page.Seen, error) {
		var err error
		answer, err = p.s.Services.Human(ctx, core.Ask{Kind: core.AskAnswer, Code: code, Say: p.shown.Clip(say, 300), URL: p.here()})
		if err != nil {
			return page.Seen{}, page.ServiceError{Err: err}
		}
		return page.Seen{}, nil
	})
	if err != nil {
		return core.Value{}, err
	}
	return core.Secret(answer.Text.Reveal()), nil
}

var termsWords = regexp.MustCompile(`(?i)term|condition|tos|rule|agree|legal|điều khoản|dieu-khoan|quy định`)

// Agree has the terms accepted that stand beside a box, and then checks it; what
// is no box is clicked. The ask carries the address of the terms and the SHA-256
// of their text, or of the label and the address where the text is another site's.
func (p *Page) Agree(ctx context.Context, loc page.Locator, s *page.Signs) (page.Seen, error) {
	return p.act(ctx, "agree", loc, s, true, func(_ *verb, n *dom.Node) (deed, error) {
		n = p.control(n)
		todo, err := p.agreement(n)
		if err != nil {
			return todo, err
		}
		ask := p.terms(ctx, n)
		if _, err := p.s.Services.Human(ctx, ask); err != nil {
			return deed{}, page.ServiceError{Err: err}
		}
		return todo, nil
	})
}

func (p *Page) agreement(n *dom.Node) (deed, error) {
	if isToggle(n) {
		return p.toggle(n, true)
	}
	return p.click(n)
}

// terms is the question that asks for the acceptance.
func (p *Page) terms(ctx context.Context, n *dom.Node) core.Ask {
	d := p.doc
	label := p.doc.text(n)
	if all := d.labelsOf(n); len(all) > 0 {
		label = squeeze(strings.Join(all, " "))
	}
	links := func(in *dom.Node) (out []*dom.Node) {
		for e := range elements(in) {
			if tag(e) == "a" && has(e, "href") && d.shown(e) {
				out = append(out, e)
			}
		}
		return out
	}
	var all []*dom.Node
	for _, l := range d.labels[n] {
		all = append(all, links(l)...)
	}
	for up, i := n.Parent, 0; len(all) == 0 && up != nil && i < 3 && tag(up) != "body"; up, i = up.Parent, i+1 {
		if near := links(up); len(near) <= 4 {
			all = near
		}
	}
	at, hashed := d.url, ""
	if len(all) > 0 {
		link := all[0]
		for _, l := range all {
			if termsWords.MatchString(content(l) + " " + attr(l, "href")) {
				link = l
				break
			}
		}
		if u, err := d.link(attr(link, "href")); err == nil {
			there, here := *u, *d.url
			there.Fragment, here.Fragment = "", ""
			if at = u; there.Scheme == here.Scheme && there.Host == here.Host && there.String() != here.String() {
				ctx, cancel := context.WithTimeout(ctx, page.ActionTime/2)
				defer cancel()
				if doc, err := p.fetch(ctx, &request{method: http.MethodGet, url: u}, d.url); err == nil && doc.status < 300 {
					hashed = squeeze(doc.text(doc.root))
				}
			}
		}
	}
	if hashed == "" {
		hashed = label + "\n" + at.String()
	}
	sum := sha256.Sum256([]byte(hashed))
	return core.Ask{Kind: core.AskAgree, Code: core.Terms, Say: p.shown.Clip(label, 300), URL: p.shown.URL(at.String()), Hash: hex.EncodeToString(sum[:])}
}
