package browser

import (
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// Locator is a list of alternatives that are tried together: the first that
// matches wins. Each is "css", "css=…", "label=…", "role=button[name=Save]",
// "text=…", "placeholder=…", "testid=…" or "xpath=…"; "A >> B" is B inside A,
// entering open shadow roots and frames.
type Locator []string

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

// AttachOptions say for whom a page works.
type AttachOptions struct {
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

// The times that verbs have by default.
const (
	ActionTime = 10 * time.Second
	OpenTime   = 30 * time.Second
	SignTime   = 20 * time.Second
	CommitTime = 60 * time.Second
)
