// Package page holds the words that the engines share: what a driver calls a
// page's elements by, what it waits for, what comes back, and the rules that
// hold whatever engine shows the page. core/browser speaks them with Chromium,
// core/html with plain HTML.
package page

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// Verbs are what a driver does with a page. An engine is one implementation.
type Verbs interface {
	Open(ctx context.Context, path string, s *Signs) (Seen, error)
	Fill(ctx context.Context, loc Locator, v core.Value, s *Signs) (Seen, error)
	Type(ctx context.Context, loc Locator, v core.Value, s *Signs) (Seen, error)
	Paste(ctx context.Context, loc Locator, html string, s *Signs) (Seen, error)
	Choose(ctx context.Context, loc Locator, want []string, s *Signs) (Seen, error)
	Check(ctx context.Context, loc Locator, on bool, s *Signs) (Seen, error)
	Press(ctx context.Context, loc Locator, key string, s *Signs) (Seen, error)
	Hover(ctx context.Context, loc Locator, s *Signs) (Seen, error)
	Click(ctx context.Context, loc Locator, s *Signs) (Seen, error)
	Upload(ctx context.Context, loc Locator, asset string, s *Signs) (Seen, error)
	Fields(ctx context.Context, fields []Field) (changed int, err error)
	Note(field, result string) error
	Results() map[string]string
	Agree(ctx context.Context, loc Locator, s *Signs) (Seen, error)
	Commit(ctx context.Context, name string, action func(context.Context) error, s Signs) (Seen, error)
	CommitClick(ctx context.Context, loc Locator, s Signs) (Seen, error)
	Await(ctx context.Context, s Signs) (Seen, error)
	Human(ctx context.Context, code core.Code, say string, s *Signs) (Seen, error)
	Ask(ctx context.Context, code core.Code, say string) (core.Value, error)
	Exists(ctx context.Context, loc Locator) (bool, error)
	Text(ctx context.Context, loc Locator) (string, error)
	Attr(ctx context.Context, loc Locator, name string) (string, error)
	URL(ctx context.Context, path string) (string, error)
	Close() error
}

// Locator is a list of alternatives that are tried together: the first that
// matches wins. Each is "css", "css=…", "label=…", "role=button[name=Save]",
// "text=…", "placeholder=…", "testid=…" or "xpath=…"; "A >> B" is B inside A,
// entering open shadow roots and frames.
type Locator []string

// Tried names the alternative that matched, or all of them where none has: at is
// then -1.
func (l Locator) Tried(at int) string {
	if at >= 0 && at < len(l) {
		return l[at]
	}
	return strings.Join(l, " | ")
}

// ServiceError is an error of core.Services on its way through a verb, which
// returns it unchanged.
type ServiceError struct{ Err error }

func (e ServiceError) Error() string { return e.Err.Error() }
func (e ServiceError) Unwrap() error { return e.Err }

// Sign is one thing that may happen, under the label that the verb returns for it.
type Sign struct {
	Label string
	Any   Locator // also "url=…", a part of path and query, and "gone=…", a locator that no longer matches
}

// Signs are what a verb waits for. Timeout zero means the verb's default.
type Signs struct {
	List    []Sign
	Timeout time.Duration
}

// Seen is the sign that came: its label, and the text of its matches, redacted
// and at most 300 characters long.
type Seen struct{ Label, Said string }

// Step is one verb, as the time line shows it.
type Step struct {
	Verb    string
	Locator string // the alternative that matched
	URL     string // of the page afterwards, redacted
	Took    time.Duration
	Label   string // of the sign that came
	Said    string
	Dialogs []string // texts of the dialogs that were answered meanwhile, redacted
	Err     error
}

// Options say for whom a page works.
type Options struct {
	Task     core.Task
	Manifest core.Manifest
	Phase    core.Phase
	Redact   core.Redactor // may be nil
	Step     func(Step)    // called once per verb; may be nil
	Place    func() string // "file:line" of the running script, for Fault.Place; may be nil
}

// Field is one line of Fields.
type Field struct {
	Name     string
	At       Locator
	Optional bool
	Value    *core.Value // instead of the task's own
	Want     []string    // alternatives for a list of choices, instead of the value
}

// SiteAnswer is the error of a verb after which the site answered with a status
// that means something by itself: 429 or 5xx. A host returns its Outcome as the phase's.
type SiteAnswer struct{ Outcome core.Outcome }

func (e *SiteAnswer) Error() string {
	return string(e.Outcome.Status) + " (" + string(e.Outcome.Code) + "): " + e.Outcome.Reason
}

// The times that verbs have by default, and the longest wait for signs.
const (
	ActionTime  = 10 * time.Second
	OpenTime    = 30 * time.Second
	SignTime    = 20 * time.Second
	CommitTime  = 60 * time.Second
	MaxSignTime = 10 * time.Minute
)

// Wrong is the fault of a driver that asks for what can't be.
func Wrong(format string, args ...any) error {
	return &core.Fault{Code: core.DriverError, Why: fmt.Sprintf(format, args...)}
}

// Check refuses a locator that names nothing.
func (l Locator) Check() error {
	if len(l) == 0 {
		return Wrong("the locator is empty")
	}
	for _, s := range l {
		if strings.TrimSpace(s) == "" {
			return Wrong("the locator is empty")
		}
		if strings.HasPrefix(s, "url=") || strings.HasPrefix(s, "gone=") {
			return Wrong("%s is a sign, not a locator", s)
		}
	}
	return nil
}

// Check refuses signs that can't be waited for; nil signs are fine.
func (s *Signs) Check() error {
	if s == nil {
		return nil
	}
	if len(s.List) == 0 {
		return Wrong("no sign is named to wait for")
	}
	if s.Timeout < 0 || s.Timeout > MaxSignTime {
		return Wrong("the timeout of signs must be between 0 and %s", MaxSignTime)
	}
	seen := map[string]bool{}
	for _, g := range s.List {
		if g.Label == "" || seen[g.Label] {
			return Wrong("each sign needs a label of its own, %q is not", g.Label)
		}
		seen[g.Label] = true
		if len(g.Any) == 0 {
			return Wrong("the sign %s has no locator", g.Label)
		}
		for _, l := range g.Any {
			bare := strings.TrimPrefix(strings.TrimPrefix(l, "gone="), "url=")
			if strings.TrimSpace(bare) == "" {
				return Wrong("the sign %s has an empty locator", g.Label)
			}
		}
	}
	return nil
}

// Limit is how long the signs are waited for.
func (s *Signs) Limit(usual time.Duration) time.Duration {
	if s == nil || s.Timeout == 0 {
		return usual
	}
	return s.Timeout
}

// Names lists the signs with their locators, for an error.
func (s Signs) Names() string {
	var labels []string
	for _, g := range s.List {
		labels = append(labels, g.Label+" ("+strings.Join(g.Any, " | ")+")")
	}
	return strings.Join(labels, ", ")
}
