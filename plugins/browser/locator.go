package browser

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/browser"
)

// Locator names an element as in Lua: css, "label=…", "role=…[name=…]", "text=…",
// "placeholder=…", "testid=…", "xpath=…", and "A >> B" for B inside A. Any makes
// one of several alternatives; each stands on a line of its own.
type Locator string

// Any is a locator of alternatives that are tried together: the first that matches wins.
func Any(alternatives ...Locator) Locator {
	parts := make([]string, len(alternatives))
	for i, a := range alternatives {
		parts[i] = string(a)
	}
	return Locator(strings.Join(parts, "\n"))
}

func (l Locator) core() browser.Locator { return strings.Split(string(l), "\n") }

// Signs are what a verb waits for: a locator by label, also "url=…" and
// "gone=…". The label "timeout" is the time to wait, "30s".
type Signs map[string]Locator

func (s Signs) core() (browser.Signs, error) {
	var out browser.Signs
	for _, label := range slices.Sorted(maps.Keys(s)) {
		if label != "timeout" {
			out.List = append(out.List, browser.Sign{Label: label, Any: s[label].core()})
			continue
		}
		d, err := time.ParseDuration(string(s[label]))
		if err != nil || d <= 0 {
			return out, &core.Fault{Code: core.DriverError, Why: `timeout must be a time such as "30s", not ` + string(cmp.Or(s[label], "empty"))}
		}
		out.Timeout = d
	}
	return out, nil
}

// Field is one line of Fields.
type Field struct {
	Name     string // of the task's field, or any name when it has a value of its own
	At       Locator
	Optional bool       // the page may lack it
	Value    core.Value // instead of the task's own; empty: the task's own
	Want     []string   // alternatives for a list of choices, instead of the value
}

func (f Field) core() browser.Field {
	out := browser.Field{Name: f.Name, At: f.At.core(), Optional: f.Optional, Want: f.Want}
	if !f.Value.Empty() {
		out.Value = &f.Value
	}
	return out
}
