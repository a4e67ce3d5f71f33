package runner

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// Options are what a Runner works with. Every port is required, but Mail, which
// may be nil where no mailbox is configured.
type Options struct {
	Manager  core.TaskManager
	Store    core.Store
	Catalog  core.Catalog
	Egress   core.Egress
	Browsers core.Browsers
	Workers  core.Workers
	Mail     core.Mailboxes
	Assets   core.Assets
	Texts    core.Texts
	Redact   core.Redactor
	Log      *slog.Logger

	// Owner names this process start; no two starts share a name.
	Owner string
	// Slots is how many tasks run at the same time, at least 1. As many again may
	// be held for a person.
	Slots int
	// Dir is where the task's pictures go, below tasks/.
	Dir string
	// Uploads is where fitted images go, for the time of a visit: a directory that
	// the browser's user can pass. Defaults to Dir.
	Uploads string
	// States are the task manager's names.
	States core.StateNames
	// Exclusive says that no other system works on the tasks of this key: a task
	// that we meant to start and that is under way is ours.
	Exclusive bool
	// Connect says that connect tasks are run.
	Connect bool
	// Server names the task manager in durable flags; its base address.
	Server string
	// Once ends Run when nothing is left to do before Wait.
	Once bool
	// Wait is how far in the future a task may be due and still be waited for.
	Wait time.Duration
	// Observe is called for every event, from many goroutines. It may be nil.
	Observe func(Notice)
	// Bulks are the sites whose accounts are made many at a time. They need Batches
	// and Clock.
	Bulks   []BulkService
	Batches core.BulkStore
	// Clock never jumps. Defaults to Egress.Now, believed for as long as Owner runs.
	Clock func() core.Moment
	// Jitter picks a random duration below most, which is positive. Defaults to a
	// source of its own; a simulation gives one that it can replay.
	Jitter func(most time.Duration) time.Duration
	Limits Limits
}

// Limits are the runner's numbers. A zero field takes the default of DefaultLimits.
type Limits struct {
	Lease        time.Duration // how long a claim holds without a heartbeat
	Heartbeat    time.Duration // between renewals
	Phase        time.Duration // of a phase, without the waits for mail and people
	MailHold     time.Duration // how long a phase waits for mail before it ends as waiting
	MailWithin   time.Duration // how long mail may take in all
	HumanHold    time.Duration // how long a page stays open for a person
	HumanExpires time.Duration // how long a question stays open
	Attempts     int           // broken runs before a task fails
	BackoffMin   time.Duration
	BackoffMax   time.Duration
	PauseAfter   int           // the same cause in a row that pauses a site
	PauseFor     time.Duration // the first pause
	WaitMax      time.Duration // all waiting of one series
	OutboxMin    time.Duration
	OutboxMax    time.Duration
	Poll         time.Duration // between lists
	ListLimit    int           // tasks in a list
	Retention    time.Duration // of tasks that ended
	Sweep        time.Duration // the slow look behind the signals
	Drain        time.Duration // how long a stopping runner lets visits go on
	Variants     int           // user names tried where a site's on_exists is variant
	ReuseTasks   int           // tasks that one browser context serves at most where its site reuses them
	ReuseIdle    time.Duration // how long a context waits for the next one
	Clean        time.Duration // how long its cleaning may take
}

// DefaultLimits are the numbers that hold where a Limits field is zero.
var DefaultLimits = Limits{
	Lease: 30 * time.Second, Heartbeat: 10 * time.Second, Phase: 10 * time.Minute,
	MailHold: time.Minute, MailWithin: 30 * time.Minute,
	HumanHold: 10 * time.Minute, HumanExpires: 72 * time.Hour,
	Attempts: 3, BackoffMin: 5 * time.Second, BackoffMax: 10 * time.Minute,
	PauseAfter: 5, PauseFor: 15 * time.Minute, WaitMax: 48 * time.Hour,
	OutboxMin: time.Second, OutboxMax: 5 * time.Minute,
	Poll: 15 * time.Second, ListLimit: 50, Retention: 30 * 24 * time.Hour,
	Sweep: time.Minute, Drain: 2 * time.Minute, Variants: 20,
	ReuseTasks: 50, ReuseIdle: 2 * time.Minute, Clean: 5 * time.Second,
}

// MaxList is the protocol's largest list.
const MaxList = 1000

func (l Limits) withDefaults() Limits {
	set := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	num := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	d := DefaultLimits
	set(&l.Lease, d.Lease)
	set(&l.Heartbeat, min(d.Heartbeat, l.Lease/3))
	set(&l.Phase, d.Phase)
	set(&l.MailHold, d.MailHold)
	set(&l.MailWithin, d.MailWithin)
	set(&l.HumanHold, d.HumanHold)
	set(&l.HumanExpires, d.HumanExpires)
	num(&l.Attempts, d.Attempts)
	set(&l.BackoffMin, d.BackoffMin)
	set(&l.BackoffMax, d.BackoffMax)
	num(&l.PauseAfter, d.PauseAfter)
	set(&l.PauseFor, d.PauseFor)
	set(&l.WaitMax, d.WaitMax)
	set(&l.OutboxMin, d.OutboxMin)
	set(&l.OutboxMax, d.OutboxMax)
	set(&l.Poll, d.Poll)
	num(&l.ListLimit, d.ListLimit)
	set(&l.Retention, d.Retention)
	set(&l.Sweep, d.Sweep)
	set(&l.Drain, d.Drain)
	num(&l.Variants, d.Variants)
	num(&l.ReuseTasks, d.ReuseTasks)
	set(&l.ReuseIdle, d.ReuseIdle)
	set(&l.Clean, d.Clean)
	l.ListLimit = min(l.ListLimit, MaxList)
	return l
}

func (o *Options) check() error {
	var missing []error
	need := func(ok bool, what string) {
		if !ok {
			missing = append(missing, errors.New("runner: no "+what))
		}
	}
	need(o.Manager != nil, "Manager")
	need(o.Store != nil, "Store")
	need(o.Catalog != nil, "Catalog")
	need(o.Egress != nil, "Egress")
	need(o.Browsers != nil, "Browsers")
	need(o.Workers != nil, "Workers")
	need(o.Assets != nil, "Assets")
	need(o.Texts != nil, "Texts")
	need(o.Redact != nil, "Redact")
	need(o.Owner != "", "Owner")
	need(o.Dir != "", "Dir")
	need(o.Slots > 0, "Slots")
	need(len(o.Bulks) == 0 || o.Batches != nil && o.Clock != nil, "Batches or Clock for its bulk sites")
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil && o.Egress != nil {
		clock, boot := o.Egress.Now, "runner "+o.Owner
		o.Clock = func() core.Moment { return core.Moment{Boot: boot, At: clock()} }
	}
	if o.Jitter == nil {
		o.Jitter = rand.N[time.Duration]
	}
	if o.Uploads == "" {
		o.Uploads = o.Dir
	}
	if o.States == (core.StateNames{}) {
		o.States = core.DefaultStateNames
	}
	o.Limits = o.Limits.withDefaults()
	return errors.Join(missing...)
}

// Notice is one event of a run, for a progress display.
type Notice struct {
	At     time.Time
	Task   string
	Domain string
	State  core.State // entered; empty for a notice about the runner
	Phase  core.Phase // begun; empty otherwise
	Text   string     // one redacted line
	Slot   string
}
