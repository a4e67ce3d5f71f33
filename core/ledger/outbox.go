package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// putReport makes the outbox row of a task, and claims it for owner where lease
// is not 0. There is one at most: the next is made in a later round, after this one
// is settled.
func (x *tx) putReport(t *task, r core.Report, owner string, lease time.Duration) error {
	body, err := x.seal(reportDoc{r.Complete, r.Status, r.LinkProfile, docOf(r.Email), docOf(r.Username), docOf(r.Password), r.Note, r.Message},
		"outbox", t.rec.ID, "body")
	if err != nil {
		return err
	}
	if lease == 0 {
		return x.later(`INSERT INTO outbox (task_id, kind, body, tries, next_at, owner, epoch, created) VALUES ($1, $2, $3, 0, $4, '', 0, $4)`,
			t.rec.ID, string(t.rec.Kind), body, t.now)
	}
	it := core.OutboxItem{TaskID: t.rec.ID, Kind: t.rec.Kind, Report: r, Created: at(t.now), Owner: owner, Epoch: 1}
	err = x.row(`INSERT INTO outbox (task_id, kind, body, tries, next_at, owner, epoch, expires, created)
		VALUES ($1, $2, $3, 0, $4, $5, $6, $7, $4) RETURNING id`,
		t.rec.ID, string(t.rec.Kind), body, t.now, owner, it.Epoch, t.now+lease.Microseconds()).Scan(&it.ID)
	t.rec.Delivery = &it
	return err
}

const claimReportQuery = `SELECT CAST({now} AS BIGINT), id, task_id, kind, body, tries, created, epoch FROM outbox
	WHERE wake <= {now} ORDER BY wake, id LIMIT 1 {for update skip}`

// ClaimReport implements core.Store.
func (l *Ledger) ClaimReport(ctx context.Context, owner string, lease time.Duration) (core.OutboxItem, error) {
	it := core.OutboxItem{Owner: owner}
	err := l.write(ctx, "claim a report", func(x *tx) error {
		var (
			now, created int64
			body         []byte
		)
		err := x.row(claimReportQuery, l.clock()).Scan(&now, &it.ID, &it.TaskID, &it.Kind, &body, &it.Tries, &created, &it.Epoch)
		if errors.Is(err, sql.ErrNoRows) {
			return core.ErrNothing
		}
		if err != nil {
			return err
		}
		var d reportDoc
		if err := l.unseal(body, &d, "outbox", it.TaskID, "body"); err != nil {
			return err
		}
		it.Report = core.Report{Complete: d.Complete, Status: d.Status, LinkProfile: d.LinkProfile, Email: d.Email.value(),
			Username: d.Username.value(), Password: d.Password.value(), Note: d.Note, Message: d.Message}
		it.Created = at(created)
		it.Epoch++
		return x.later(`UPDATE outbox SET owner = $2, epoch = $3, expires = $4 WHERE id = $1`, it.ID, owner, it.Epoch, now+lease.Microseconds())
	})
	if err != nil {
		return core.OutboxItem{}, err
	}
	return it, nil
}

const nextReportQuery = `SELECT wake FROM outbox WHERE wake >= 0 ORDER BY wake, id LIMIT 1`

// NextReport implements core.Store.
func (l *Ledger) NextReport(ctx context.Context) (time.Time, error) {
	var wake int64
	err := l.read(ctx, "read when a report is due", func(x *tx) error {
		_, err := x.first([]any{&wake}, nextReportQuery)
		return err
	})
	return at(wake), err
}

// reported holds the task of a report for the one who claimed it. The task's
// row is locked first, as everywhere.
func (x *tx) reported(it core.OutboxItem) (*task, error) {
	t, err := x.hold(it.TaskID)
	if errors.Is(err, core.ErrUnknownTask) {
		return nil, core.ErrLeaseLost
	}
	if err != nil {
		return nil, err
	}
	var (
		owner   string
		epoch   int64
		expires sql.NullInt64
	)
	found, err := x.first([]any{&owner, &epoch, &expires}, `SELECT owner, epoch, expires FROM outbox WHERE id = $1 {for update}`, it.ID)
	if err != nil {
		return nil, err
	}
	if !found || owner == "" || owner != it.Owner || epoch != it.Epoch || expires.Int64 <= t.now {
		return nil, core.ErrLeaseLost
	}
	return t, nil
}

// SettleReport implements core.Store.
func (l *Ledger) SettleReport(ctx context.Context, it core.OutboxItem, to core.State, ev core.Event) error {
	if to != core.Reported && to != core.Overtaken {
		return fmt.Errorf("ledger: a report ends in reported or overtaken, not in %s", to)
	}
	err := l.write(ctx, "settle the report of task "+it.TaskID, func(x *tx) error {
		t, err := x.reported(it)
		if err != nil {
			return err
		}
		if err := x.later(`DELETE FROM outbox WHERE id = $1`, it.ID); err != nil {
			return err
		}
		return x.move(t, core.Move{To: to, Event: ev})
	})
	if err == nil {
		l.changed()
	}
	return err
}

// DeferReport implements core.Store.
func (l *Ledger) DeferReport(ctx context.Context, it core.OutboxItem, next time.Time, ev core.Event) error {
	err := l.write(ctx, "defer the report of task "+it.TaskID, func(x *tx) error {
		t, err := x.reported(it)
		if err != nil {
			return err
		}
		nextAt := t.now
		if !next.IsZero() {
			nextAt = next.UnixMicro()
		}
		if err := x.later(`UPDATE outbox SET owner = '', expires = NULL, next_at = $2, tries = tries + 1 WHERE id = $1`, it.ID, nextAt); err != nil {
			return err
		}
		if err := x.addEvents(t, ev); err != nil {
			return err
		}
		return x.later(`UPDATE task SET seq = $2 WHERE id = $1`, t.rec.ID, t.seq)
	})
	if err == nil {
		l.changed()
	}
	return err
}
