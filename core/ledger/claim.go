package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// site is a site's row, locked until the transaction ends.
type site struct {
	domain      string
	now         int64
	notBefore   int64
	pausedUntil int64
	pause       int64
	byPerson    bool
	day, today  int64
}

const dayMicros = int64(24 * time.Hour / time.Microsecond)

// claimLooks is how many sites one transaction of Claim looks at.
const claimLooks = 32

const nextSiteQuery = `SELECT {now}, s.domain, s.not_before, s.paused_until, s.pause, s.by_person, s.day, s.today FROM site s
	WHERE s.ready_at <= {now}
	AND EXISTS (SELECT 1 FROM runner_site rs JOIN runner r ON r.owner = rs.owner
		WHERE rs.domain = s.domain AND rs.owner = $2 AND r.expires > {now})
	ORDER BY s.ready_at LIMIT 1 {for update site}`

// Claim implements core.Store.
func (l *Ledger) Claim(ctx context.Context, owner string, lease time.Duration, first func(core.Record) (core.Move, bool)) (core.Record, error) {
	for {
		var t *task
		more := false
		err := l.write(ctx, "claim a task", func(x *tx) error {
			t, more = nil, false
			for range claimLooks {
				var s site
				found, err := x.first([]any{&s.now, &s.domain, &s.notBefore, &s.pausedUntil, &s.pause, &s.byPerson, &s.day, &s.today},
					nextSiteQuery, l.clock(), owner)
				if err != nil || !found {
					return err
				}
				if t, err = x.claimAt(s, owner, lease, first); err != nil || t != nil {
					return err
				}
			}
			more = true
			return nil
		})
		if err != nil {
			return core.Record{}, err
		}
		if t != nil {
			return t.rec, nil
		}
		if !more {
			return core.Record{}, core.ErrNothing
		}
	}
}

// claimAt takes a task of the site, or finds out when it is worth looking again.
func (x *tx) claimAt(s site, owner string, lease time.Duration, first func(core.Record) (core.Move, bool)) (*task, error) {
	if s.byPerson {
		return nil, x.lookAgain(s, 0)
	}
	if wait := max(s.notBefore, s.pausedUntil); wait > s.now {
		return nil, x.lookAgain(s, wait)
	}
	x.expect(siteQuery, s.domain, s.now)
	lim, err := x.limits(s.domain, s.now)
	if err != nil {
		return nil, err
	}
	if lim.expired {
		return nil, x.lookAgain(s, lim.again)
	}
	if s.pause > 0 {
		lim.Concurrency = 1 // half-open: one try
	}
	q, err := x.queue(s)
	if err != nil {
		return nil, err
	}
	if q.running >= lim.Concurrency {
		return nil, x.lookAgain(s, q.soonest)
	}
	today := s.now / dayMicros
	if s.day != today {
		s.day, s.today = today, 0
	}
	next := q.first(s, lim.MaxPerDay > 0 && s.today >= int64(lim.MaxPerDay))
	if next.id == "" || next.wake > s.now {
		return nil, x.lookAgain(s, next.wake)
	}
	id := next.id
	x.expectFill(id)
	t, err := x.holdAs(`SELECT CAST($2 AS BIGINT), `+taskColumns+` FROM task t WHERE t.id = $1 AND t.wake <= $2 {for update skip}`, id, s.now)
	if errors.Is(err, core.ErrUnknownTask) {
		return nil, x.lookAgain(s, s.now+lockedAgain) // somebody is changing it this moment
	}
	if err != nil {
		return nil, err
	}
	if err := x.fill(t); err != nil {
		return nil, err
	}
	until := s.now + lease.Microseconds()
	t.rec.Lease = core.Lease{TaskID: id, Owner: owner, Epoch: t.rec.Lease.Epoch + 1}
	t.rec.Due, t.expires = at(s.now), sql.NullInt64{Int64: until, Valid: true}
	if t.rec.State == core.Ready {
		s.today++
	}
	if err := x.take(t, first); err != nil {
		return nil, err
	}
	s.notBefore = s.now + lim.Every.Microseconds()
	ready := s.notBefore
	if q.running+1 >= lim.Concurrency {
		if q.running == 0 || until < q.soonest {
			q.soonest = until
		}
		ready = max(ready, q.soonest)
	}
	return t, x.later(`UPDATE site SET not_before = $2, ready_at = $3, day = $4, today = $5 WHERE domain = $1`,
		s.domain, s.notBefore, ready, s.day, s.today)
}

// take stores the lease of a claim, with the move that comes first.
func (x *tx) take(t *task, first func(core.Record) (core.Move, bool)) error {
	if first != nil {
		if m, ok := first(t.rec); ok {
			if m.To.Releases() {
				return fmt.Errorf("task %s: a claim that moves to %s gives back what it takes", t.rec.ID, m.To)
			}
			return x.move(t, m)
		}
	}
	return x.later(`UPDATE task SET owner = $2, epoch = $3, expires = $4, due = $5 WHERE id = $1`,
		t.rec.ID, t.rec.Lease.Owner, t.rec.Lease.Epoch, t.expires, micro(t.rec.Due))
}

// lockedAgain is how soon, in microseconds, a site is looked at again whose
// task was locked.
const lockedAgain = 50_000

// siteQuery is the number of live leases with the first that ends, the lease that
// ran out first, and the first task of each kind with when it is due.
const siteQuery = `SELECT 'running' AS what, CAST(count(*) AS TEXT) AS id, COALESCE(min(expires), 0) AS wake FROM task WHERE domain = $1 AND expires > $2
	UNION ALL SELECT * FROM (SELECT CASE WHEN state = 'ready' THEN 'taken' ELSE 'left' END, id, expires FROM task
		WHERE domain = $1 AND expires <= $2 ORDER BY expires LIMIT 1) AS l
	UNION ALL SELECT * FROM (SELECT 'begun', id, wake FROM task WHERE domain = $1 AND state <> 'ready' AND wake IS NOT NULL ORDER BY wake, id LIMIT 1) AS b
	UNION ALL SELECT * FROM (SELECT 'ready', id, wake FROM task WHERE domain = $1 AND state = 'ready' AND wake IS NOT NULL ORDER BY wake, id LIMIT 1) AS r`

// queue is what siteQuery finds.
type queue struct {
	running int
	soonest int64 // when the first lease ends
	left    head  // its lease ran out: whoever had it is gone, or cut off
	unbegun bool  // left was claimed and no more
	begun   head
	ready   head
}

// head is the first task of a queue; none when id is empty.
type head struct {
	id   string
	wake int64
}

func (x *tx) queue(s site) (q queue, err error) {
	err = x.each(func(scan func(...any) error) error {
		var (
			what string
			h    head
		)
		if err := scan(&what, &h.id, &h.wake); err != nil {
			return err
		}
		var err error
		switch what {
		case "running":
			q.soonest = h.wake
			q.running, err = strconv.Atoi(h.id)
		case "left", "taken":
			q.left, q.unbegun = h, what == "taken"
		case "begun":
			q.begun = h
		case "ready":
			q.ready = h
		}
		return err
	}, siteQuery, s.domain, s.now)
	return q, err
}

// first is the task that is due first, or was; before all others one that a runner
// left behind, however many wait. With the quota used up no ready task counts
// before midnight.
func (q queue) first(s site, full bool) head {
	if q.left.id != "" && !(full && q.unbegun) {
		return q.left
	}
	if full && q.ready.id != "" {
		q.ready.wake = max(q.ready.wake, (s.day+1)*dayMicros)
	}
	if q.begun.id == "" || q.ready.id != "" && q.ready.wake < q.begun.wake {
		return q.ready
	}
	return q.begun
}

// lookAgain says when the site is worth a look: never before a change when at is 0.
func (x *tx) lookAgain(s site, at int64) error {
	var ready any
	if at != 0 {
		ready = max(at, s.now+1)
	}
	_, err := x.exec(`UPDATE site SET ready_at = $2 WHERE domain = $1`, s.domain, ready)
	return err
}

// siteLimits are the strictest limits of the live runners that can run a site.
type siteLimits struct {
	core.SiteLimits
	expired bool  // the basis is over
	again   int64 // when that may change without anybody saying so; 0: never
}

const limitsQuery = `SELECT rs.driver, rs.every, rs.concurrency, rs.max_per_day, rs.expires, r.expires
	FROM runner_site rs JOIN runner r ON r.owner = rs.owner WHERE rs.domain = $1 AND r.expires > $2 ORDER BY rs.owner`

func (x *tx) limits(domain string, now int64) (siteLimits, error) {
	lim := siteLimits{SiteLimits: core.SiteLimits{Domain: domain}}
	live := 0
	err := x.each(func(scan func(...any) error) error {
		var (
			driver                           string
			every, con, perDay, basis, alive int64
		)
		if err := scan(&driver, &every, &con, &perDay, &basis, &alive); err != nil {
			return err
		}
		live++
		if lim.Driver == "" {
			lim.Driver = driver
		}
		lim.Every = max(lim.Every, time.Duration(every)*time.Microsecond)
		if con = max(con, 1); lim.Concurrency == 0 || int(con) < lim.Concurrency {
			lim.Concurrency = int(con)
		}
		if perDay > 0 && (lim.MaxPerDay == 0 || int(perDay) < lim.MaxPerDay) {
			lim.MaxPerDay = int(perDay)
		}
		if basis > 0 && (lim.Expires.IsZero() || basis < lim.Expires.UnixMicro()) {
			lim.Expires = at(basis)
		}
		if basis > 0 && basis <= now {
			lim.expired = true
			if lim.again == 0 || alive < lim.again {
				lim.again = alive
			}
		}
		return nil
	}, limitsQuery, domain, now)
	if live < 2 {
		lim.again = 0 // only the runner that asks: its own word is what counts
	}
	return lim, err
}

// wakeSite says that a claim on the site may succeed at a moment, and locks its row.
func (x *tx) wakeSite(domain string, at, now int64) error {
	return x.later(`INSERT INTO site (domain, ready_at) VALUES ($1, $2) ON CONFLICT (domain) DO UPDATE SET ready_at =
		CASE WHEN site.by_person = 1 THEN NULL
		WHEN site.ready_at IS NULL OR site.ready_at > {max}(excluded.ready_at, site.not_before, site.paused_until)
		THEN {max}(excluded.ready_at, site.not_before, site.paused_until) ELSE site.ready_at END`, domain, max(at, now))
}

const nextDueQuery = `SELECT s.ready_at FROM site s WHERE s.ready_at > 0
	AND EXISTS (SELECT 1 FROM runner_site rs WHERE rs.domain = s.domain AND rs.owner = $1) ORDER BY s.ready_at LIMIT 1`

// NextDue implements core.Store.
func (l *Ledger) NextDue(ctx context.Context, owner string) (time.Time, error) {
	var ready int64
	err := l.read(ctx, "read when a task is due", func(x *tx) error {
		_, err := x.first([]any{&ready}, nextDueQuery, owner)
		return err
	})
	return at(ready), err
}
