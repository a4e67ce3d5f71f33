package browser

import "github.com/rollcall-run/rollcall/core/page"

// The words of the verbs, which all engines share.
type (
	// Locator is page.Locator.
	Locator = page.Locator
	// Sign is page.Sign.
	Sign = page.Sign
	// Signs is page.Signs.
	Signs = page.Signs
	// Seen is page.Seen.
	Seen = page.Seen
	// Step is page.Step.
	Step = page.Step
	// AttachOptions is page.Options.
	AttachOptions = page.Options
	// Field is page.Field.
	Field = page.Field
	// SiteAnswer is page.SiteAnswer.
	SiteAnswer = page.SiteAnswer
)

// The times that verbs have by default.
const (
	ActionTime = page.ActionTime
	OpenTime   = page.OpenTime
	SignTime   = page.SignTime
	CommitTime = page.CommitTime
)

var _ page.Verbs = (*Page)(nil)
