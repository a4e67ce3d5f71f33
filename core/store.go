package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Store is the ledger: the only state there is. Every method is one short
// transaction that is durable when it returns nil; none of them waits for the
// network of a site or the task manager.
//
// A method that takes a Lease fails with ErrLeaseLost, and changes nothing, when
// owner or epoch no longer hold the task or the lease has expired.
type Store interface {
	Admin

	// Join registers a runner process. On SQLite, which has one runner at a time,
	// it ends every older lease at once.
	Join(ctx context.Context, owner string, lease time.Duration) error
	// Leave ends the owner's registration and the leases that it has not given back:
	// their tasks are due at once.
	Leave(ctx context.Context, owner string) error
	// PutSites says which sites the owner can run, replacing what it said before.
	// For a site of several live runners the strictest limits hold.
	PutSites(ctx context.Context, owner string, sites []SiteLimits) error
	// Beat renews the owner's registration and every lease of a task that it holds,
	// and returns the epochs of the tasks that it still holds. Reports are not renewed. ErrNotJoined when the registration
	// has run out: the owner holds nothing, and joins again.
	Beat(ctx context.Context, owner string, lease time.Duration) (held map[string]int64, err error)
	// Subscribe returns a channel that gets a token, at most one at a time, after
	// any change by any runner that may let a claim, a report or a waiting person go on.
	Subscribe() (changed <-chan struct{}, cancel func())

	// TakeList takes or keeps the right to list, which one runner has at a time.
	TakeList(ctx context.Context, owner string, lease time.Duration) (bool, error)
	// Look says what is known of tasks, by id; unknown ones are absent.
	Look(ctx context.Context, tasks []Task) (map[string]Known, error)
	// Admit makes tasks ready, in one transaction: new ones, and those in a final
	// state, whose next round begins no earlier than due. It answers for each task;
	// one that can't be admitted is no obstacle to the others.
	Admit(ctx context.Context, tasks []Task, due time.Time) ([]Admission, error)

	// Claim takes the lease of the task that is due and whose site admits work,
	// for a driver this owner has. ErrNothing when there is none. first, unless nil,
	// says whether the task is moved in the same transaction, and how. It may be called
	// more than once, the last time with the task that is claimed, and calls no Store.
	Claim(ctx context.Context, owner string, lease time.Duration, first func(Record) (Move, bool)) (Record, error)
	// NextDue is when a claim by owner may succeed without any further change;
	// zero when nothing is due at all. Now or earlier means claim at once.
	NextDue(ctx context.Context, owner string) (time.Time, error)
	// Advance moves a task along edges of the chart, with everything in the moves, in
	// one transaction, in which the lease is read again: ErrLeaseLost when it is not
	// the owner's any more. A wrong edge is *EdgeError. No move but the last releases the lease.
	Advance(ctx context.Context, l Lease, moves ...Move) (Record, error)
	// Note merges facts or adds an event without a move.
	Note(ctx context.Context, l Lease, facts Facts, ev ...Event) error
	// Defer ends the lease without a move: the task is due again at due, or only
	// when a person changes it when due is zero. broken counts an attempt that broke.
	Defer(ctx context.Context, l Lease, due time.Time, broken bool, ev Event) error
	// Reserve books identities on the task's site for the task, once; a task's own
	// bookings are no conflict. Another task's booking is *TakenError, and nothing is booked.
	Reserve(ctx context.Context, l Lease, b Booking) error
	// SiteSaw counts what ended a visit. The same cause after times in a row pauses
	// the site for pause, doubling up to 24 hours at each failed half-open try; the
	// empty cause is a success and ends the series. It returns until when the site
	// is paused, zero when it is not.
	SiteSaw(ctx context.Context, domain, cause string, after int, pause time.Duration) (time.Time, error)

	// ClaimReport takes the oldest due report whose task has none before it.
	// ErrNothing when there is none.
	ClaimReport(ctx context.Context, owner string, lease time.Duration) (OutboxItem, error)
	// NextReport is when a report is due; zero when there is none.
	NextReport(ctx context.Context) (time.Time, error)
	// SettleReport ends a report; its task becomes Reported or Overtaken.
	SettleReport(ctx context.Context, item OutboxItem, to State, ev Event) error
	// DeferReport tries a report again at next.
	DeferReport(ctx context.Context, item OutboxItem, next time.Time, ev Event) error

	// OpenAsk asks a person. When the same question (kind, code, say) of the task has
	// an unused answer, that answer is used up and returned with true.
	OpenAsk(ctx context.Context, l Lease, ask Ask, expires time.Time) (id string, a Answer, answered bool, err error)
	// TakeAnswer uses up the answer of an ask, false while there is none.
	TakeAnswer(ctx context.Context, l Lease, id string) (Answer, bool, error)
	// CloseAsk withdraws an ask that needs nobody any more.
	CloseAsk(ctx context.Context, l Lease, id string) error
	// SetShot records the picture of an ask.
	SetShot(ctx context.Context, l Lease, id, path string) error
	// ExpireAsks ends the asks whose time is over and makes their parked tasks due.
	ExpireAsks(ctx context.Context) (int, error)

	// Flag and SetFlag keep small durable facts about the outside, such as a server
	// that does not know connect. An unset flag is "".
	Flag(ctx context.Context, name string) (string, error)
	SetFlag(ctx context.Context, name, value string) error
	// Retain deletes what ended before, secrets first, in batches, and keeps
	// tombstones of the identities. It returns how many tasks went.
	Retain(ctx context.Context, before time.Time) (int, error)
	Close() error
}

// Admin is the part of the ledger that people use, also through the control
// socket of a running runner.
type Admin interface {
	Tasks(ctx context.Context, f TaskFilter) ([]Record, error)
	// Task returns one record, ErrUnknownTask when there is none.
	Task(ctx context.Context, id string) (Record, error)
	Events(ctx context.Context, id string) ([]Event, error)
	// Resolve settles a task in unknown: the account exists, does not, or the task is given up.
	Resolve(ctx context.Context, id string, v Verdict, by string) error
	// Retry makes a task that is waiting, or deferred without a time, due now.
	Retry(ctx context.Context, id, by string) error
	Sites(ctx context.Context) ([]SiteStatus, error)
	PauseSite(ctx context.Context, domain, why string) error
	ResumeSite(ctx context.Context, domain string) error
	// Asks lists what people are asked, open ones only unless all.
	Asks(ctx context.Context, all bool) ([]AskRow, error)
	// AnswerAsk stores the answer and makes a parked task due. An empty text says
	// "done" for AskAct and AskAgree; for a parked AskAnswer it says "I am here":
	// the phase is entered again and asks anew. ErrUnknownAsk, ErrAskClosed.
	AnswerAsk(ctx context.Context, id, text, by string) error
	// Accounts calls f for each account, oldest first, until f returns an error.
	Accounts(ctx context.Context, f func(Account) error) error
	Summary(ctx context.Context) ([]SiteCount, error)
	// Backup writes a consistent copy to a new file. PostgreSQL: an error that names pg_dump.
	Backup(ctx context.Context, path string) error
}

// FlagBackup is set in a copy that Backup made, to the time of the copy (RFC
// 3339). A runner that finds it works on a restored ledger: what was submitted
// after that time is not in it.
const FlagBackup = "backup_of"

// Sentinels of Store.
var (
	ErrNothing     = errors.New("nothing is due")
	ErrNotJoined   = errors.New("this runner is not registered in the ledger any more")
	ErrLeaseLost   = errors.New("another runner holds the task now")
	ErrUnknownTask = errors.New("no such task in the ledger")
	ErrUnknownAsk  = errors.New("no such question")
	ErrAskClosed   = errors.New("that question is closed")
)

// Lease is the right to move one task.
type Lease struct {
	TaskID, Owner string
	Epoch         int64
}

// SiteLimits is what the ledger must know of a site to hold its limits.
type SiteLimits struct {
	Domain      string
	Driver      string
	Every       time.Duration // between the starts of two visits
	Concurrency int           // at least 1
	MaxPerDay   int           // tasks begun per UTC day; 0: no quota
	Expires     time.Time     // of the basis; zero: never
}

// Known is what the ledger knows of a task that is listed again.
type Known struct {
	State           State
	Round           int
	SameEntity      bool // in a final state: nothing changed since the last round
	SameCredentials bool // in a final state: email, username and password are unchanged
	Updated         time.Time
}

// Record is a task with its place in the chart.
type Record struct {
	Task
	Lease        Lease
	State        State
	From         State // Delayed, Held, Parked: the state to go back to
	Phase        Phase // the phase that is entered next, or was under way
	Driver       string
	Digest       string
	Round        int      // 1, and one more each time the task manager brings the task back
	Broken       int      // attempts of this round that broke
	Changed      bool     // this round's entity differs from the one before
	NewSecrets   bool     // email, username or password differ from the round before
	Answer       *Outcome // the site's last final word; survives into the next round
	Fault        string   // what broke last, one line
	Intent       *Intent  // the newest
	Account      *Account // once proved
	Fields       map[string]string
	WaitingSince time.Time   // begin of the present series of Waiting outcomes, zero in none
	Due          time.Time   // zero: a person's turn, or final
	AskExpired   bool        // Parked: the last ask expired unanswered
	Done         bool        // Reporting, Reported: with complete, not with fail
	Delivery     *OutboxItem // what a move with Deliver claimed; never of a record that was read
	Created      time.Time
	Updated      time.Time
}

// Intent is what was durable before the one irreversible action.
type Intent struct {
	ID        string
	Key       string // natural key of the attempt: site, e-mail and username, normalised
	Name      string // the action's, as the driver called it
	Driver    string
	Digest    string
	Username  Value
	Email     Value
	Password  Value
	Mark      MailMark
	HasMark   bool
	At        time.Time
	State     IntentState
	Committed bool // the site answered
}

// IntentState says how an intent ended.
type IntentState string

// The intent states.
const (
	IntentOpen    IntentState = "open"
	IntentDone    IntentState = "done"    // the account was proved
	IntentRefused IntentState = "refused" // the site said no
	IntentAbsent  IntentState = "absent"  // a probe or a person proved that there is no account
)

// Admission is what became of a task that was to be admitted.
type Admission struct {
	OK  bool  // it is ready now; false for one that is under way
	Err error // why this one can't be admitted
}

// Move is one step of a task.
type Move struct {
	To     State
	Phase  Phase             // to enter next, or under way
	Due    time.Time         // Delayed; Unknown: when to probe again. Zero there means a person's turn once the lease is given back
	Facts  Facts             // merged
	Answer *Outcome          // the site's word, recorded
	Fault  string            // recorded
	Fields map[string]string // merged
	Driver string            // recorded with Digest when not empty
	Digest string
	Intent *Intent     // Intended only; ID, Key, At, State are the ledger's
	End    IntentState // how the open intent ended
	// Committed marks the open intent as answered by the site.
	Committed bool
	Account   *Account // Confirmed: the account that was proved; later: what more is known of it
	// FreeIdentities ends the task's bookings: no account came of them.
	FreeIdentities bool
	// Book books identities as Store.Reserve does. *TakenError: nothing is stored.
	Book   *Booking
	Report *Report // Reporting only: becomes the outbox row
	// Deliver has the lease's owner claim the report at once, for so long: it is the
	// record's Delivery.
	Deliver time.Duration
	Events  []Event // added first
	Event   Event   // added with the move's time; Kind is filled in when empty
}

// Releases reports whether a task loses its lease on entering s.
func (s State) Releases() bool {
	switch s {
	case Delayed, Parked, Reporting, Reported, Overtaken, Dropped:
		return true
	}
	return false
}

// Identity is one name of an account on a site.
type Identity struct {
	Kind     string // FieldEmail or FieldUsername
	Value    Value
	KeepCase bool
}

// Booking is what a task signs up with.
type Booking struct {
	Password   Value // tells a second task of the same person from a stranger's
	Identities []Identity
}

// Equal reports whether b and other book the same.
func (b Booking) Equal(other Booking) bool {
	return b.Password.Equal(other.Password) && slices.EqualFunc(b.Identities, other.Identities, func(x, y Identity) bool {
		return x.Kind == y.Kind && x.KeepCase == y.KeepCase && x.Value.Equal(y.Value)
	})
}

// TakenError says that another task has booked an identity.
type TakenError struct {
	Kind            string
	TaskID          string // the other task; empty when only a tombstone is left
	SameCredentials bool   // with the same e-mail, username and password
	Proved          bool   // the other task's account is proved
}

func (e *TakenError) Error() string {
	if e.TaskID == "" {
		return "the " + e.Kind + " was used by an earlier task on this site"
	}
	return fmt.Sprintf("the %s belongs to task %s on this site", e.Kind, e.TaskID)
}

// OutboxItem is a report on its way.
type OutboxItem struct {
	ID      int64
	TaskID  string
	Kind    Kind
	Report  Report
	Tries   int
	Created time.Time
	Owner   string
	Epoch   int64
}

// Event is one line of a task's time line.
type Event struct {
	At    time.Time
	Kind  string // state, phase, log, api, ask, site, shot
	State State
	Phase Phase
	Level string // DEBUG, INFO, WARN, ERROR
	Text  string // redacted
	Attrs map[string]string
}

// TaskFilter narrows Tasks.
type TaskFilter struct {
	Domain string
	States []State
	Limit  int    // 0: 100
	After  string // id of the last one seen; tasks are ordered by id
}

// Verdict is a person's word on an unknown task.
type Verdict string

// The verdicts.
const (
	VerdictCreated Verdict = "created"
	VerdictAbsent  Verdict = "absent"
	VerdictFail    Verdict = "fail"
)

// SiteStatus is a site as the ledger sees it.
type SiteStatus struct {
	SiteLimits
	Running     int
	NotBefore   time.Time // pace
	PausedUntil time.Time // zero: not paused
	PausedWhy   string
	ByPerson    bool
	Today       int // begun this UTC day
	Waiting     int // tasks not final
}

// AskRow is a question to a person.
type AskRow struct {
	ID      string
	TaskID  string
	Domain  string
	Ask     Ask
	State   string // open, answered, used, closed, expired
	Held    bool   // the page is still open
	Shot    string // path of the picture, empty when there is none
	Created time.Time
	Expires time.Time
}

// Account is an account that rollcall made or adopted.
type Account struct {
	TaskID      string
	Domain      string
	Username    Value
	Email       Value
	Password    Value
	TOTP        Value
	LinkProfile string
	Driver      string
	Created     time.Time
}

// SiteCount is how many tasks of a site are in each state.
type SiteCount struct {
	Domain string
	States map[State]int
}
