package browser

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-run/rollcall/core/browser"
)

// story is the verbs that are not on the time line yet.
type story struct{ lines []string }

// A line of the time line is a durable write: it holds up to stepsAtOnce verbs.
const (
	stepsAtOnce = 20
	maxStep     = 500 // bytes of one verb
)

// step keeps a verb for the time line; one that failed goes there at once.
func (p *Page) step(s browser.Step) {
	var b strings.Builder
	b.WriteString(s.Verb)
	if s.Locator != "" {
		b.WriteString("(" + s.Locator + ")")
	}
	if s.Label != "" {
		b.WriteString(" → " + s.Label)
		if s.Said != "" {
			b.WriteString(" " + strconv.Quote(s.Said))
		}
	}
	if len(s.Dialogs) > 0 {
		b.WriteString(" dialogs " + strconv.Quote(strings.Join(s.Dialogs, " | ")))
	}
	b.WriteString(" " + s.Took.Round(time.Millisecond).String())
	line := p.redact.Redact(b.String())
	if len(line) > maxStep {
		line = strings.ToValidUTF8(line[:maxStep], "") + "…"
	}
	services := p.session.Services
	if s.Err != nil {
		services.Log(p.ctx, slog.LevelWarn, line, "url", s.URL, "error", p.redact.Redact(s.Err.Error()))
		return
	}
	services.Log(p.ctx, slog.LevelDebug, line, "verb", s.Verb)
	p.story.lines = append(p.story.lines, line)
	if len(p.story.lines) == stepsAtOnce {
		p.flush()
	}
}

func (p *Page) flush() {
	if len(p.story.lines) == 0 {
		return
	}
	args := make([]any, 0, 2*len(p.story.lines))
	for i, s := range p.story.lines {
		args = append(args, fmt.Sprintf("%02d", i+1), s)
	}
	p.session.Services.Log(p.ctx, slog.LevelInfo, string(p.run.Phase)+" did", args...)
	p.story.lines = p.story.lines[:0]
}
