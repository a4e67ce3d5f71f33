package core

import (
	"errors"
	"strings"
)

// FaultCode classifies a broken run. Only the runner and its hosts give one: a
// driver returns an Outcome or breaks.
type FaultCode string

// The fault codes.
const (
	LayoutChanged FaultCode = "layout_changed" // a locator or sign was not found, or not exactly once
	Timeout       FaultCode = "timeout"        // a deadline passed
	Crashed       FaultCode = "crashed"        // worker, plugin, browser or renderer died
	OutOfMemory   FaultCode = "out_of_memory"
	DriverError   FaultCode = "driver_error" // the script or plugin itself is wrong
	HostRefused   FaultCode = "host_refused" // egress refused a host the driver asked for
	HTTPError     FaultCode = "http_error"   // an answer of 4xx that no sign explains
	LeaseGone     FaultCode = "lease_lost"   // the task belongs to another runner now
	Cancelled     FaultCode = "cancelled"    // the runner is stopping
)

// Fault is a broken run with its place. It survives a process border.
type Fault struct {
	Code    FaultCode
	Phase   Phase
	Place   string // file:line of a script; empty for compiled drivers
	Verb    string // click, fill, commit, …
	Locator string
	URL     string // of the page, without user info, query secrets redacted
	Why     string // one line
	Detail  string // candidates, page state, what covers the element; may have several lines
}

// Error prints "place verb(locator): why".
func (f *Fault) Error() string {
	var b strings.Builder
	if f.Place != "" {
		b.WriteString(f.Place + " ")
	}
	if f.Verb != "" {
		b.WriteString(f.Verb)
		if f.Locator != "" {
			b.WriteString("(" + f.Locator + ")")
		}
		b.WriteString(": ")
	}
	if f.Why != "" {
		b.WriteString(f.Why)
	} else {
		b.WriteString(string(f.Code))
	}
	if f.URL != "" {
		b.WriteString(" at " + f.URL)
	}
	return b.String()
}

// AsFault returns err's Fault, or one with code that carries err's text.
func AsFault(err error, code FaultCode) *Fault {
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	return &Fault{Code: code, Why: err.Error()}
}
