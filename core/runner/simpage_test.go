package runner_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/rollcall-run/rollcall/core"
)

// simBrowsers opens pages that know their gate no more than a slot does.
type simBrowsers struct{ m *simMachine }

func (b simBrowsers) Context(context.Context, string, core.ContextOptions) (core.BrowserContext, error) {
	if b.m.w.pick("browser").IntN(40) == 0 {
		return nil, errors.New("the browser is gone")
	}
	return b.m.pages.open(b.m), nil
}

// simPages are the browser contexts that a machine opened.
type simPages struct {
	mu  sync.Mutex
	all []*simPage
}

// simPage is a browser context. It remembers whose it is until it is cleaned.
type simPage struct {
	m    *simMachine
	id   int
	dead chan struct{}

	// guarded by simPages.mu
	task           string
	served         int
	closed, broken bool
}

func (ps *simPages) open(m *simMachine) *simPage {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p := &simPage{m: m, id: len(ps.all), dead: make(chan struct{})}
	ps.all = append(ps.all, p)
	return p
}

// visit is a phase of a task in the context: nobody else's, and one that is there.
func (ps *simPages) visit(m *simMachine, context, task string) {
	id, _ := strconv.Atoi(context) // as ContextID made it
	ps.mu.Lock()
	p := ps.all[id]
	wrong := ""
	switch {
	case p.closed:
		wrong = "that was closed"
	case p.broken:
		wrong = "that could not be cleaned"
	case p.task != "" && p.task != task:
		wrong = "that still knows " + p.task
	}
	again := p.task == "" && p.served > 0
	if p.task == "" {
		p.served++
	}
	p.task = task
	ps.mu.Unlock()
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	if again {
		m.w.count.Reused++
	}
	if wrong != "" && !m.dead.Load() {
		m.w.violation("%s: %s is in a browser context %s", m.name, task, wrong)
	}
}

// ended wants no context left when the machine has come to its end by itself.
func (ps *simPages) ended(m *simMachine) {
	ps.mu.Lock()
	left := 0
	for _, p := range ps.all {
		if !p.closed {
			left++
		}
	}
	ps.mu.Unlock()
	if left > 0 && !m.dead.Load() {
		m.w.mu.Lock()
		defer m.w.mu.Unlock()
		m.w.violation("%s ended with %d browser contexts open", m.name, left)
	}
}

func (p *simPage) ControlURL() string { return "" }
func (p *simPage) ContextID() string  { return strconv.Itoa(p.id) }
func (p *simPage) TargetID() string   { return "" }
func (p *simPage) Shot(context.Context, ...core.Value) ([]byte, error) {
	return nil, errors.New("no pictures here")
}
func (p *simPage) Writes(context.Context, func(string) bool) (func() int, error) {
	return func() int { return 0 }, nil
}
func (p *simPage) Dead() <-chan struct{} { return p.dead }
func (p *simPage) Own(string) error      { return nil }

func (p *simPage) Close() error {
	p.m.pages.mu.Lock()
	defer p.m.pages.mu.Unlock()
	p.closed = true
	return nil
}

// Clean makes the context nobody's, on most days. What it cleaned may die later.
func (p *simPage) Clean(ctx context.Context) error {
	kind := p.m.w.pick("clean", p.m.name, p.id).IntN(12)
	if err := p.m.step("clean", p.id); err != nil {
		return err
	}
	var err error
	switch kind {
	case 0:
		err = errors.New("something stayed")
	case 1:
		<-ctx.Done()
		err = ctx.Err()
	}
	p.m.pages.mu.Lock()
	defer p.m.pages.mu.Unlock()
	if err != nil {
		p.broken = true
		return fmt.Errorf("clean a browser context: %w", err)
	}
	if p.task = ""; kind == 2 {
		close(p.dead)
		p.broken = true
	}
	return nil
}
