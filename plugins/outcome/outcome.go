// Package outcome makes what a phase returns, with the names of the Lua API.
package outcome

import (
	"slices"
	"strings"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/text"
)

// maxReason is how many characters of a reason are kept.
const maxReason = 300

func reason(s string) string {
	s, _ = text.Fit(strings.Join(strings.Fields(s), " "), maxReason)
	return s
}

// Done says that the phase has done its work, and what was learnt.
// core.FactLinkProfile, with which profile ends, is one of the facts.
func Done(facts ...core.Facts) core.Outcome {
	o := core.Outcome{Status: core.Done}
	for _, f := range facts {
		o.Facts = o.Facts.Merge(f)
	}
	return o
}

// Waiting asks for the same phase again later.
func Waiting(code core.Code, why string) core.Outcome {
	return core.Outcome{Status: core.Waiting, Code: code, Reason: reason(why)}
}

// Rejected is the site's no.
func Rejected(code core.Code, why string) core.Outcome {
	return core.Outcome{Status: core.Rejected, Code: code, Reason: reason(why)}
}

// Blocked asks for a person.
func Blocked(code core.Code, why string) core.Outcome {
	return core.Outcome{Status: core.Blocked, Code: code, Reason: reason(why)}
}

// Absent is for verify: there is no such account.
func Absent(why string) core.Outcome {
	return core.Outcome{Status: core.Absent, Reason: reason(why)}
}

// Rule is what sites say when they mean a code.
type Rule struct {
	Code    core.Code
	Field   string // the field it speaks of, when the phrases tell
	Phrases []string
}

// Refused is the outcome of the first rule with a phrase in what the site said,
// invalid_input when none has. A driver's own rules stand before Words.
func Refused(said string, rules ...[]Rule) core.Outcome {
	o := core.Outcome{Status: core.Rejected, Code: core.InvalidInput, Reason: reason(said)}
	for _, r := range slices.Concat(rules...) {
		if !text.Has(said, r.Phrases) {
			continue
		}
		o.Code, o.Field = r.Code, r.Field
		for status, codes := range core.Codes {
			if slices.Contains(codes, r.Code) {
				o.Status = status
			}
		}
		break
	}
	return o
}
