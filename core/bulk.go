package core

import (
	"context"
	"fmt"
	"time"
)

// BulkSite is a site on which accounts are made many at a time: the limits of
// its calls.
type BulkSite struct {
	Domain    string
	Max       int           // users in one call
	Every     time.Duration // from the end of a call to the start of the next
	Timeout   time.Duration // of one call; the end of a call that was never seen is taken to be this late
	MaxWait   time.Duration // how long tasks gather before a batch goes out part-full
	HoldAbove float64       // share of refused users in a batch that holds the next one until a person says so
	Visit     *Pace         // of the visits that a driver makes to the site; nil where no driver is bound to it
}

// Moment is a reading of a clock that never jumps: the time since the machine
// was started, and which start that was.
type Moment struct {
	Boot string
	At   time.Duration
}

// BulkState says what became of one user of a bulk API.
type BulkState string

// The states of a row.
const (
	BulkWaiting     BulkState = "waiting"             // to be sent
	BulkSent        BulkState = "sent"                // in a call whose answer is not known yet
	BulkUncertain   BulkState = "uncertain"           // in a call whose outcome stays unknown; sent again later
	BulkCreated     BulkState = "created"             // the site made it and said its id
	BulkUnconfirmed BulkState = "created_unconfirmed" // exists after an uncertain call: ours, in all likelihood
	BulkFailed      BulkState = "failed"              // the site refused this user
	BulkRefused     BulkState = "refused"             // the site refused the whole call; nothing was made
	BulkInvalid     BulkState = "invalid"             // never sent: a rule forbids it
	BulkSame        BulkState = "same"                // never sent: another row or task has this user
)

// BulkStates lists the states in the order in which people read them.
var BulkStates = []BulkState{BulkCreated, BulkUnconfirmed, BulkFailed, BulkRefused, BulkInvalid, BulkSame, BulkWaiting, BulkSent, BulkUncertain}

// Final reports whether nothing more happens to the row by itself.
func (s BulkState) Final() bool {
	switch s {
	case BulkWaiting, BulkSent, BulkUncertain:
		return false
	}
	return true
}

// BulkRow is one account to be made by a bulk API.
type BulkRow struct {
	ID        string // of the ledger
	Import    string // the import it came with, empty for a task's
	TaskID    string // the task it is for, empty for an import's
	Num       int    // position in the import's file: its first row after the header is 1
	Line      int    // of the file
	Fields    map[string]Value
	Cells     []Value // the row as it stood in the file
	State     BulkState
	Batch     string // the last call that it was in
	BatchSize int    // users that a call with this row may have, 0 for no wish
	Sends     int    // how many calls it was in
	Uncertain bool   // one of them had no known outcome
	UserID    string
	Message   string // the site's words, or the rule that forbids it
	Updated   time.Time
}

// BulkImport is a file of users.
type BulkImport struct {
	ID      string
	Domain  string
	Name    string
	Digest  string   // of the file's bytes: the same file is imported once
	Header  []string // of the file
	Batch   int      // users in a call, 0 for as many as the site allows
	Rows    int
	Created time.Time
	Counts  map[BulkState]int
	Adopted bool // by AddImport: the ledger had it already
}

// BulkWindow is a site's place between two calls.
type BulkWindow struct {
	Domain   string
	Calls    int           // begun so far
	Calling  bool          // a call has begun whose end is not known
	LostIn   time.Duration // Calling: until its end is given up
	OpensIn  time.Duration // until the next call may begin
	Held     bool          // the site is paused
	HeldWhy  string
	Rows     int       // waiting or uncertain
	Ready    int       // tasks that may be taken into a batch
	Oldest   time.Time // of those tasks, zero when there are none
	BegunDue time.Time // when a task under way may be claimed, zero when none may
	VisitDue time.Time // when a task may be claimed for a visit, zero when none may
}

// BulkBegin asks for the start of a call. The rows come in the order of the body.
type BulkBegin struct {
	Site  BulkSite
	Now   Moment
	Hash  string // SHA-256 of the body, hex
	Rows  []string
	Tasks []BulkTask
}

// BulkTask is a task that goes into a call.
type BulkTask struct {
	Lease  Lease
	Row    BulkRow
	Intent Intent
}

// BulkBatch is a call that has begun.
type BulkBatch struct {
	ID     string
	Call   int
	Rows   []BulkRow
	Users  int // of the answered calls before it that were not judged yet
	Failed int // how many of those the site refused
}

// BulkEnd is how a call ended.
type BulkEnd struct {
	Domain     string
	Batch      string
	Now        Moment
	How        string // done, refused, uncertain, unsent
	Message    string
	RetryAfter time.Duration
	Rows       []BulkRowEnd
	Hold       string // why the next call waits for a person, empty when it does not
	Users      int    // answered and not judged yet, for the next batch's Users
	Failed     int
}

// BulkRowEnd is what a call came to for one row, and the moves of its task.
type BulkRowEnd struct {
	ID      string
	State   BulkState
	UserID  string
	Message string
	Exists  bool // the site said that the user is there already
	Moves   []Move
}

// BulkFieldError is a rule that one field of a user breaks.
type BulkFieldError struct {
	Field string
	Value string // masked when it is a secret
	Rule  string
}

func (e *BulkFieldError) Error() string { return fmt.Sprintf("%s %q: %s", e.Field, e.Value, e.Rule) }

// BulkAdmin is the part of a BulkStore that people use.
type BulkAdmin interface {
	// AddImport stores an import with all its rows, or nothing. The same file for
	// the same site is adopted: what was refused as a whole is waiting again, and
	// nothing else changes. A user that another row of the site has is BulkSame.
	AddImport(ctx context.Context, imp BulkImport, rows []BulkRow) (BulkImport, error)
	// Imports lists the imports of a site, or of all when domain is empty, oldest first.
	Imports(ctx context.Context, domain string) ([]BulkImport, error)
	// ImportRows calls f for each row, in the order of the file.
	ImportRows(ctx context.Context, id string, f func(BulkRow) error) error
	// BulkWindow reads a site's window, and notes when this boot saw it first.
	BulkWindow(ctx context.Context, site BulkSite, now Moment) (BulkWindow, error)
}

// BulkStore is the part of the ledger that keeps bulk calls apart.
type BulkStore interface {
	BulkAdmin
	Subscribe() (changed <-chan struct{}, cancel func())
	// BulkNext lists rows to be sent, oldest first.
	BulkNext(ctx context.Context, domain string, limit int) ([]BulkRow, error)
	// BulkBegin makes a call's rows, hash and start durable, and moves its tasks to
	// Intended. ErrNothing, and no change, when the window is not open or a row is
	// not waiting any more.
	BulkBegin(ctx context.Context, b BulkBegin) (BulkBatch, error)
	// BulkEnd makes a call's outcome durable, in one transaction with the moves of
	// its tasks. ErrLeaseLost when the call was given up meanwhile.
	BulkEnd(ctx context.Context, e BulkEnd) error
	// BulkOpen is the call that has begun and has no end, ErrNothing when there is none.
	BulkOpen(ctx context.Context, domain string) (BulkBatch, error)
	// BulkTwin is another row of the site with the e-mail or username, ErrNothing when there is none.
	BulkTwin(ctx context.Context, domain, email, username, notTask string) (BulkRow, error)
	// BulkClaim takes the lease of the oldest task of the site that is due for the
	// work. Visits keep to the strictest pace that was asked for, whoever makes
	// them, and none begins while the site is paused. ErrNothing when there is none.
	BulkClaim(ctx context.Context, owner string, site BulkSite, lease time.Duration, work BulkWork) (Record, error)
}

// BulkWork is what a task of a bulk site is claimed for.
type BulkWork string

// The works. A task for a browser is one to connect, or, where site.Visit is
// set, one whose account is made.
const (
	BulkFresh BulkWork = "fresh" // to go into a call
	BulkBegun BulkWork = "begun" // under way, and not for a browser
	BulkVisit BulkWork = "visit" // for a browser
)

// BulkAPI makes accounts many at a time.
type BulkAPI interface {
	// Body is the request for the rows; the same rows make the same bytes.
	Body(rows []BulkRow) ([]byte, error)
	// Send makes the call once, and never again by itself. Late is asked before
	// bytes leave; when it says so nothing more is sent. Rows that the answer does
	// not name are absent from the result. The error is a *BulkError.
	Send(ctx context.Context, body []byte, rows []BulkRow, late func() bool) ([]BulkResult, error)
}

// BulkAnswer is a site's word on one user.
type BulkAnswer string

// The answers.
const (
	BulkMade   BulkAnswer = "made"
	BulkExists BulkAnswer = "exists"
	BulkDenied BulkAnswer = "denied"
)

// BulkResult is the answer for one row.
type BulkResult struct {
	Row     string
	Answer  BulkAnswer
	UserID  string
	Message string
}

// BulkErrorKind says what a failed call means for its users.
type BulkErrorKind string

// The kinds.
const (
	BulkCallRefused   BulkErrorKind = "refused"   // nothing was made
	BulkCallDenied    BulkErrorKind = "denied"    // nothing was made: the token is not accepted
	BulkCallLater     BulkErrorKind = "later"     // nothing was made: too many calls
	BulkCallUnsent    BulkErrorKind = "unsent"    // no byte of the body left
	BulkCallUncertain BulkErrorKind = "uncertain" // some or all may have been made
)

// BulkError is a call without results.
type BulkError struct {
	Kind       BulkErrorKind
	Message    string // one line, without the token
	RetryAfter time.Duration
}

func (e *BulkError) Error() string { return fmt.Sprintf("the call is %s: %s", e.Kind, e.Message) }
