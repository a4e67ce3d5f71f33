package runner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// BulkOptions are what a Bulk works with. All but Hard, Log, Redact and Observe
// are required.
type BulkOptions struct {
	Site  core.BulkSite
	API   core.BulkAPI
	Store core.BulkStore
	// Clock reads a clock that never jumps.
	Clock func() core.Moment
	// Hard ends a call under way; without it a call is let end.
	Hard context.Context
	Log  *slog.Logger
	// Redact cleans the site's words.
	Redact func(string) string
	// Observe is called for each step, from one goroutine.
	Observe func(BulkNotice)
	// Task reads a task whose user was in a call. Required where tasks go through calls.
	Task func(ctx context.Context, id string) (core.Record, error)
	// Link is the address of a user's profile, empty when it can't be told; it may be nil.
	Link func(userID, username string) string
	// Driver names the service in records.
	Driver string
	// Sweep is the longest wait without a look, behind the signals. Defaults to one minute.
	Sweep time.Duration
	// Step is called at every durable step, with its name; tests end the process
	// there. Defaults to the crash points of test builds.
	Step func(name string)
}

// BulkNotice is one step of a Bulk.
type BulkNotice struct {
	Domain string
	Window core.BulkWindow
	Text   string // one line, empty where only the window is told
}

// Bulk sends the users of one site in calls: at most Site.Max at a time, each
// call Site.Every after the end of the one before. What goes into a call is
// durable before the call, and what came of it before anything follows from it.
type Bulk struct {
	o     BulkOptions
	tasks bulkTasks
}

// bulkTasks brings the tasks of a task manager into calls.
type bulkTasks interface {
	// site is the site with the pace of its visits.
	site() core.BulkSite
	// begun works on one task under way; false when none is due. wait is how long no
	// call may begin.
	begun(ctx context.Context, wait time.Duration) (bool, error)
	// waiting is how many started tasks wait for this call.
	waiting() int
	// gather claims and starts tasks for a call.
	gather(ctx context.Context, most int) ([]core.BulkTask, error)
	// release gives back what gather took and the call did not.
	release()
}

// NewBulk checks the options.
func NewBulk(o BulkOptions) (*Bulk, error) {
	switch {
	case o.API == nil || o.Store == nil || o.Clock == nil:
		return nil, errors.New("bulk: API, Store and Clock are needed")
	case o.Site.Domain == "" || o.Site.Max < 1 || o.Site.Timeout <= 0 || o.Site.Every < 0:
		return nil, fmt.Errorf("bulk: the limits of %q are not set", o.Site.Domain)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Redact == nil {
		o.Redact = func(s string) string { return s }
	}
	if o.Sweep <= 0 {
		o.Sweep = idle
	}
	if o.Link == nil {
		o.Link = func(string, string) string { return "" }
	}
	if o.Step == nil {
		o.Step = bulkPoint
	}
	return &Bulk{o: o}, nil
}

// idle is the default of BulkOptions.Sweep.
const idle = time.Minute

// Run sends what there is to send until ctx ends. A call under way is let end.
func (b *Bulk) Run(ctx context.Context) error {
	changed, cancel := b.o.Store.Subscribe()
	defer cancel()
	for ctx.Err() == nil {
		looked := time.Now()
		wait, err := b.Next(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("%s: %w", b.o.Site.Domain, err)
		}
		if wait <= 0 {
			continue
		}
		await(min(wait+time.Millisecond, b.o.Sweep), looked, changed, func(due <-chan time.Time, told <-chan struct{}) bool {
			select {
			case <-told:
				return true
			case <-due:
			case <-ctx.Done():
			}
			return false
		})
	}
	return nil
}

// Next does what is due, at most one call, and returns how long nothing else will be.
func (b *Bulk) Next(ctx context.Context) (time.Duration, error) {
	site := b.o.Site
	if b.tasks != nil {
		site = b.tasks.site()
	}
	w, err := b.o.Store.BulkWindow(ctx, site, b.o.Clock())
	if err != nil {
		return 0, err
	}
	b.tell(w, "")
	if w.Calling {
		if w.LostIn > 0 {
			return w.LostIn, nil
		}
		return 0, b.lose(ctx)
	}
	next := b.o.Sweep
	if b.tasks != nil {
		wait := w.OpensIn
		if w.Held {
			wait = max(wait, idle)
		}
		did, err := b.tasks.begun(ctx, wait)
		if err != nil || did {
			return 0, err
		}
		if !w.BegunDue.IsZero() {
			next = min(next, max(time.Until(w.BegunDue), time.Millisecond))
		}
	}
	ready, started := w.Ready, 0
	if b.tasks == nil {
		ready = 0
	} else {
		started = b.tasks.waiting()
	}
	switch {
	case w.Held, w.Rows+ready+started == 0:
		return next, nil
	case w.OpensIn > 0:
		return min(next, w.OpensIn), nil
	}
	if w.Rows+started == 0 && ready < site.Max {
		if left := site.MaxWait - time.Since(w.Oldest); left > 0 {
			return min(next, left), nil
		}
	}
	return b.batch(ctx)
}

// batch makes one call.
func (b *Bulk) batch(ctx context.Context) (time.Duration, error) {
	site := b.o.Site
	rows, err := b.o.Store.BulkNext(ctx, site.Domain, site.Max)
	if err != nil {
		return 0, err
	}
	most := site.Max
	for i, r := range rows {
		if r.BatchSize > 0 {
			most = min(most, r.BatchSize)
		}
		if i >= most {
			rows = rows[:most]
			break
		}
	}
	var tasks []core.BulkTask
	if b.tasks != nil {
		defer b.tasks.release()
		if tasks, err = b.tasks.gather(ctx, most-len(rows)); err != nil {
			return 0, err
		}
	}
	all, begin := rows, core.BulkBegin{Site: site, Tasks: tasks}
	for _, r := range rows {
		begin.Rows = append(begin.Rows, r.ID)
	}
	for _, t := range tasks {
		all = append(all, t.Row)
	}
	if len(all) == 0 {
		return time.Millisecond, nil
	}
	body, err := b.o.API.Body(all)
	if err != nil {
		return 0, err
	}
	sum := sha256.Sum256(body)
	begin.Hash, begin.Now = hex.EncodeToString(sum[:]), b.o.Clock()
	b.o.Step("gathered")
	batch, err := b.o.Store.BulkBegin(ctx, begin)
	if errors.Is(err, core.ErrNothing) || errors.Is(err, core.ErrLeaseLost) {
		return time.Millisecond, nil // another runner was first, with the call or a task; the window says when to look again
	}
	if err != nil {
		return 0, err
	}
	b.o.Log.Info("bulk call", "domain", site.Domain, "batch", batch.ID, "call", batch.Call, "users", len(batch.Rows))
	b.tell(core.BulkWindow{Domain: site.Domain, Calls: batch.Call, Calling: true}, fmt.Sprintf("call %d: %d users", batch.Call, len(batch.Rows)))
	b.o.Step("begun")
	results, err := b.call(body, batch.Rows, begin.Now)
	b.o.Step("answered")
	end := b.settle(batch, results, err)
	err = b.finish(ctx, batch, end)
	if errors.Is(err, core.ErrLeaseLost) {
		b.o.Log.Warn("the call was given up before its answer was stored; its users are sent again", "domain", end.Domain, "batch", batch.ID)
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	b.o.Step("ended")
	return 0, nil
}

// call sends the body once. Its time ends on the clock that never jumps, so that
// a process that was stopped in between finds itself late.
func (b *Bulk) call(body []byte, rows []core.BulkRow, began core.Moment) ([]core.BulkResult, error) {
	hard := b.o.Hard
	if hard == nil {
		hard = context.Background()
	}
	left := func() time.Duration {
		now := b.o.Clock()
		if now.Boot != began.Boot {
			return 0
		}
		return b.o.Site.Timeout - (now.At - began.At)
	}
	ctx, cancel := context.WithTimeout(hard, left())
	defer cancel()
	return b.o.API.Send(ctx, body, rows, func() bool { return left() <= 0 })
}

// lose gives up a call whose process is gone: its users may have been made.
func (b *Bulk) lose(ctx context.Context) error {
	batch, err := b.o.Store.BulkOpen(ctx, b.o.Site.Domain)
	if errors.Is(err, core.ErrNothing) {
		return nil
	}
	if err != nil {
		return err
	}
	end := b.settle(batch, nil, &core.BulkError{Kind: core.BulkCallUncertain, Message: "the process that made the call ended before the answer"})
	err = b.finish(ctx, batch, end)
	if errors.Is(err, core.ErrLeaseLost) {
		return nil
	}
	return err
}

// finish makes an outcome durable, with the moves of the tasks.
func (b *Bulk) finish(ctx context.Context, batch core.BulkBatch, end core.BulkEnd) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	byID := make(map[string]core.BulkRow, len(batch.Rows))
	for _, r := range batch.Rows {
		byID[r.ID] = r
	}
	for i, r := range end.Rows {
		if row := byID[r.ID]; row.TaskID != "" && b.o.Task != nil {
			moves, err := b.moves(ctx, row, r)
			if err != nil {
				return err
			}
			end.Rows[i].Moves = moves
		}
	}
	end.Now = b.o.Clock()
	if err := b.o.Store.BulkEnd(ctx, end); err != nil {
		return fmt.Errorf("store the outcome of batch %s: %w", batch.ID, err)
	}
	b.o.Log.Info("bulk call ended", "domain", end.Domain, "batch", batch.ID, "how", end.How, "message", end.Message)
	b.tell(core.BulkWindow{Domain: end.Domain, Calls: batch.Call, Held: end.Hold != "", HeldWhy: end.Hold}, fmt.Sprintf("call %d %s: %s", batch.Call, end.How, end.Message))
	return nil
}

func (b *Bulk) tell(w core.BulkWindow, text string) {
	if b.o.Observe != nil {
		b.o.Observe(BulkNotice{Domain: b.o.Site.Domain, Window: w, Text: text})
	}
}
