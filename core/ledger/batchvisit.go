package ledger

import (
	"context"
	"database/sql"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// The tasks of a bulk site by what is to be done with them. A browser is for
// those to connect, and, where a driver is bound to the site, for those whose
// account is made.
const (
	bulkConnects = `kind = 'connect' AND state IN ('ready', 'starting', 'prepared', 'confirmed', 'waiting', 'held', 'parked')`
	bulkVisits   = `wake IS NOT NULL AND (` + bulkConnects + ` OR state = 'confirmed' OR from_state = 'confirmed')` // as the index has it
	bulkFresh    = `wake IS NOT NULL AND state = 'ready' AND kind <> 'connect'`
	bulkBegun    = `wake IS NOT NULL AND state <> 'ready' AND NOT (` + bulkConnects + `)`
	bulkDesk     = `wake IS NOT NULL AND state <> 'ready' AND NOT (` + bulkConnects + ` OR state = 'confirmed' OR from_state = 'confirmed')`
)

// begun are the tasks under way that no browser is for.
func begun(site core.BulkSite) string {
	if site.Visit == nil {
		return bulkBegun
	}
	return bulkDesk
}

// bulkWork counts what there is to send and to do.
func (x *tx) bulkWork(w *core.BulkWindow, site core.BulkSite, s bulkSite) error {
	var now, oldest, paused int64
	var byPerson bool
	if err := x.row(`SELECT CAST({now} AS BIGINT), (SELECT count(*) FROM bulk_row WHERE domain = $2 AND `+bulkToSend+`)`,
		x.l.clock(), w.Domain).Scan(&now, &w.Rows); err != nil {
		return err
	}
	if err := x.row(`SELECT count(*), COALESCE(min(wake), 0) FROM task WHERE domain = $1 AND wake <= $2 AND `+bulkFresh,
		w.Domain, now).Scan(&w.Ready, &oldest); err != nil {
		return err
	}
	w.Oldest, w.BegunDue, w.VisitDue, w.Held, w.HeldWhy = at(oldest), time.Time{}, time.Time{}, false, ""
	first := func(due string) (wake int64, found bool, err error) {
		found, err = x.first([]any{&wake}, `SELECT wake FROM task WHERE domain = $1 AND `+due+` ORDER BY wake, id LIMIT 1`, w.Domain)
		return wake, found, err
	}
	wake, found, err := first(begun(site))
	if err != nil {
		return err
	}
	if found {
		w.BegunDue = at(max(wake, 1))
	}
	if found, err = x.first([]any{&byPerson, &paused, &w.HeldWhy}, `SELECT by_person, paused_until, paused_why FROM site WHERE domain = $1`, w.Domain); err != nil {
		return err
	}
	w.Held = found && (byPerson || paused > now)
	if site.Visit == nil || found && byPerson {
		return nil
	}
	opens := max(s.visits(site, now), paused)
	if wake, found, err = first(bulkVisits); err != nil || !found {
		return err
	}
	w.VisitDue = at(max(wake, opens, 1))
	running, ends, err := x.visiting(w.Domain, now)
	if err == nil && running >= max(site.Visit.Concurrency, 1) && at(ends).After(w.VisitDue) {
		w.VisitDue = at(ends)
	}
	return err
}

// visits is when the next visit may begin.
func (s bulkSite) visits(site core.BulkSite, now int64) int64 {
	return min(s.visited, now) + max(s.visitEvery, site.Visit.Every).Microseconds()
}

// visiting is how many visits are under way, and when the first of their leases ends.
func (x *tx) visiting(domain string, now int64) (n int, ends int64, err error) {
	err = x.row(`SELECT count(*), COALESCE(min(t.expires), 0) FROM bulk_visit b JOIN task t ON t.id = b.task_id AND t.epoch = b.epoch
		WHERE b.domain = $1 AND t.expires > $2`, domain, now).Scan(&n, &ends)
	return n, ends, err
}

// BulkClaim implements core.BulkStore.
func (l *Ledger) BulkClaim(ctx context.Context, owner string, site core.BulkSite, lease time.Duration, work core.BulkWork) (core.Record, error) {
	var rec core.Record
	err := l.write(ctx, "claim a task of "+site.Domain, func(x *tx) error {
		now, err := x.time()
		if err != nil {
			return err
		}
		due, id := bulkFresh, ""
		switch work {
		case core.BulkBegun:
			due = begun(site)
		case core.BulkVisit:
			due = bulkVisits
			if err := x.mayVisit(site, now); err != nil {
				return err
			}
		}
		found, err := x.first([]any{&id}, `SELECT id FROM task WHERE domain = $1 AND wake <= $2 AND `+due+` ORDER BY wake, id LIMIT 1 {for update skip}`,
			site.Domain, now)
		if err != nil {
			return err
		}
		if !found {
			return core.ErrNothing
		}
		t, err := x.hold(id)
		if err != nil {
			return err
		}
		if err := x.fill(t); err != nil {
			return err
		}
		until := now + lease.Microseconds()
		t.rec.Lease = core.Lease{TaskID: id, Owner: owner, Epoch: t.rec.Lease.Epoch + 1}
		t.rec.Due, t.expires = at(now), sql.NullInt64{Int64: until, Valid: true}
		rec = t.rec
		if work == core.BulkVisit {
			if err := x.beginVisit(site, t.rec.Lease, now); err != nil {
				return err
			}
		}
		return x.later(`UPDATE task SET owner = $2, epoch = $3, expires = $4, due = $5 WHERE id = $1`, id, owner, t.rec.Lease.Epoch, until, now)
	})
	return rec, err
}

// mayVisit locks the site's row. core.ErrNothing when no visit may begin now.
func (x *tx) mayVisit(site core.BulkSite, now int64) error {
	if site.Visit == nil {
		return core.ErrNothing
	}
	s, err := x.lockBulk(site.Domain)
	if err != nil {
		return err
	}
	var paused int64
	var byPerson bool
	if _, err := x.first([]any{&byPerson, &paused}, `SELECT by_person, paused_until FROM site WHERE domain = $1`, site.Domain); err != nil {
		return err
	}
	if byPerson || paused > now || s.visits(site, now) > now {
		return core.ErrNothing
	}
	running, _, err := x.visiting(site.Domain, now)
	if err == nil && running >= max(site.Visit.Concurrency, 1) {
		err = core.ErrNothing
	}
	return err
}

// beginVisit notes a visit, and forgets those that ended.
func (x *tx) beginVisit(site core.BulkSite, l core.Lease, now int64) error {
	if _, err := x.exec(`DELETE FROM bulk_visit WHERE domain = $1 AND NOT EXISTS
		(SELECT 1 FROM task t WHERE t.id = bulk_visit.task_id AND t.epoch = bulk_visit.epoch AND t.expires > $2)`, site.Domain, now); err != nil {
		return err
	}
	if _, err := x.exec(`INSERT INTO bulk_visit (domain, task_id, epoch) VALUES ($1, $2, $3) ON CONFLICT (domain, task_id) DO UPDATE SET epoch = excluded.epoch`,
		site.Domain, l.TaskID, l.Epoch); err != nil {
		return err
	}
	_, err := x.exec(`UPDATE bulk_site SET visited = $2, visit_every = $3 WHERE domain = $1`, site.Domain, now, site.Visit.Every.Microseconds())
	return err
}
