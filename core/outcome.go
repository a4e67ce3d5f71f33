package core

import (
	"fmt"
	"slices"
	"time"
)

// Phase is one part of a driver's work.
type Phase string

// The phases, in the order in which a task meets them.
const (
	Register     Phase = "register" // fills the sign-up form and ends with its one commit
	Confirm      Phase = "confirm"  // what follows the commit: mail link, code, consent page; may be re-entered
	Login        Phase = "login"    // signs in with the effective credentials
	Profile      Phase = "profile"  // writes what is missing, nothing twice
	ConnectPhase Phase = "connect"  // adds task.links
	Verify       Phase = "verify"   // says whether the account exists
)

// Phases lists every phase.
var Phases = []Phase{Register, Confirm, Login, Profile, ConnectPhase, Verify}

// Status is the kind of answer a site gave.
type Status string

// The statuses. A broken run is an error (Fault), not an Outcome.
const (
	Done     Status = "done"
	Waiting  Status = "waiting"  // the same phase again, later
	Rejected Status = "rejected" // final, not retried by itself
	Blocked  Status = "blocked"  // a person is needed
	Absent   Status = "absent"   // from verify only: there is no such account
)

// Code says more about a status; the set is closed.
type Code string

// The codes of Waiting, Rejected and Blocked, in this order.
const (
	RateLimited Code = "rate_limited"
	SiteDown    Code = "site_down"
	Pending     Code = "pending" // approval, or a mail that is not there yet

	AlreadyExists  Code = "already_exists"
	InvalidInput   Code = "invalid_input"
	BadCredentials Code = "bad_credentials"
	Banned         Code = "banned"
	Closed         Code = "closed" // sign-up is closed

	Captcha  Code = "captcha"
	OTPSMS   Code = "otp_sms"
	OTPApp   Code = "otp_app"
	MailLink Code = "mail_link"
	Terms    Code = "terms"
	KYC      Code = "kyc"
	Payment  Code = "payment"
	Contact  Code = "contact"
)

// Codes lists the codes that each status may carry.
var Codes = map[Status][]Code{
	Done:     {},
	Waiting:  {RateLimited, SiteDown, Pending},
	Rejected: {AlreadyExists, InvalidInput, BadCredentials, Banned, Closed},
	Blocked:  {Captcha, OTPSMS, OTPApp, MailLink, Terms, KYC, Payment, Contact},
	Absent:   {},
}

// Bounds of Outcome.After.
const (
	MinAfter = 10 * time.Second
	MaxAfter = 24 * time.Hour
)

// Outcome is what the site answered. It is a value and survives a process border.
type Outcome struct {
	Status Status
	Code   Code              // empty when Done or Absent
	Reason string            // one line for a person
	Field  string            // the field that InvalidInput or AlreadyExists speaks of, when known
	Facts  Facts             // merged into Task.Facts whatever the status
	After  time.Duration     // Waiting only; Check clamps it to MinAfter … MaxAfter, zero means the runner's own back-off
	Fields map[string]string // per profile field: "set", "kept", "unsupported", "truncated(160)", "refused: …", "hidden: …"
}

// Check reports what makes o impossible for a driver to return from phase, nil
// when nothing does, and clamps After.
func (o *Outcome) Check(phase Phase) error {
	codes, ok := Codes[o.Status]
	if !ok {
		return fmt.Errorf("%s returned the unknown status %q", phase, o.Status)
	}
	if len(codes) == 0 && o.Code != "" {
		return fmt.Errorf("%s returned %s with the code %q, which carries none", phase, o.Status, o.Code)
	}
	if len(codes) > 0 && !slices.Contains(codes, o.Code) {
		return fmt.Errorf("%s returned %s with the code %q; known are %v", phase, o.Status, o.Code, codes)
	}
	if o.Status == Absent && phase != Verify {
		return fmt.Errorf("%s returned absent, which only verify can", phase)
	}
	if o.Status == Waiting && o.After != 0 {
		o.After = min(max(o.After, MinAfter), MaxAfter)
	}
	return nil
}
