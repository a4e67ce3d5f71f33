package ledgertest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// siteRow is what is known of a site beside its tasks.
type siteRow struct {
	notBefore   time.Time
	pausedUntil time.Time
	pausedWhy   string
	pause       time.Duration // the length of a pause that failures caused
	byPerson    bool
	cause       string
	series      int
	day         int64
	today       int
}

func (m *Memory) site(domain string) *siteRow {
	s := m.sites[domain]
	if s == nil {
		s = &siteRow{}
		m.sites[domain] = s
	}
	return s
}

const day = 24 * time.Hour

// Join implements core.Store. Other runners keep their leases, as on a database
// that many share.
func (m *Memory) Join(_ context.Context, owner string, lease time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.runners[owner] = m.clock().Add(lease)
	m.changed()
	return nil
}

// Leave implements core.Store.
func (m *Memory) Leave(_ context.Context, owner string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := stamp(m.clock())
	for id, t := range m.tasks {
		if t.rec.Lease.Owner == owner {
			free := *t
			free.release()
			free.rec.Due = now
			m.tasks[id] = &free
		}
	}
	for _, o := range m.outbox {
		if o.item.Owner == owner {
			o.item.Owner, o.expires = "", time.Time{}
		}
	}
	if m.lister == owner {
		m.lister = ""
	}
	delete(m.runners, owner)
	delete(m.runs, owner)
	m.changed()
	return nil
}

// PutSites implements core.Store.
func (m *Memory) PutSites(_ context.Context, owner string, sites []core.SiteLimits) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	runs := map[string]core.SiteLimits{}
	for _, s := range sites {
		if _, twice := runs[s.Domain]; twice {
			return fmt.Errorf("the site %s is named twice", s.Domain)
		}
		runs[s.Domain] = s
		m.site(s.Domain)
	}
	m.runs[owner] = runs
	m.changed()
	return nil
}

// Beat implements core.Store.
func (m *Memory) Beat(_ context.Context, owner string, lease time.Duration) (map[string]int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, joined := m.runners[owner]; !joined {
		return nil, core.ErrNotJoined
	}
	now := m.clock()
	until := now.Add(lease)
	m.runners[owner] = until
	held := map[string]int64{}
	for id, t := range m.tasks {
		if t.rec.Lease.Owner == owner && t.expires.After(now) {
			kept := *t
			kept.expires = until
			m.tasks[id] = &kept
			held[id] = t.rec.Lease.Epoch
		}
	}
	return held, nil
}

// TakeList implements core.Store.
func (m *Memory) TakeList(_ context.Context, owner string, lease time.Duration) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock()
	if m.lister != "" && m.lister != owner && m.listUntil.After(now) {
		return false, nil
	}
	m.lister, m.listUntil = owner, now.Add(lease)
	return true, nil
}

// limits are the strictest of the live runners that can run a site.
func (m *Memory) limits(domain string, now time.Time) (lim core.SiteLimits, expired bool) {
	lim.Domain = domain
	for _, owner := range slices.Sorted(maps.Keys(m.runs)) {
		s, ok := m.runs[owner][domain]
		if !ok || !m.runners[owner].After(now) {
			continue
		}
		lim.Driver = cmp.Or(lim.Driver, s.Driver)
		lim.Every = max(lim.Every, s.Every)
		if con := max(s.Concurrency, 1); lim.Concurrency == 0 || con < lim.Concurrency {
			lim.Concurrency = con
		}
		if s.MaxPerDay > 0 && (lim.MaxPerDay == 0 || s.MaxPerDay < lim.MaxPerDay) {
			lim.MaxPerDay = s.MaxPerDay
		}
		if !s.Expires.IsZero() && (lim.Expires.IsZero() || s.Expires.Before(lim.Expires)) {
			lim.Expires = s.Expires
		}
		expired = expired || !s.Expires.IsZero() && !s.Expires.After(now)
	}
	return lim, expired
}

// next is the task of a site that is claimed next, and when it may be; no id
// when only a change brings one.
func (m *Memory) next(domain string, now time.Time) (id string, wake time.Time) {
	s := m.site(domain)
	lim, expired := m.limits(domain, now)
	if s.byPerson || expired || lim.Concurrency == 0 {
		return "", time.Time{}
	}
	if s.pause > 0 {
		lim.Concurrency = 1
	}
	running, soonest := 0, time.Time{}
	full := lim.MaxPerDay > 0 && s.day == now.Unix()/86400 && s.today >= lim.MaxPerDay
	left := false // id was left behind by a runner that is gone: before all others
	for _, t := range m.tasks {
		if t.rec.Domain != domain {
			continue
		}
		if t.expires.After(now) {
			if running++; soonest.IsZero() || t.expires.Before(soonest) {
				soonest = t.expires
			}
		}
		at, ok := t.wake()
		if !ok {
			continue
		}
		if midnight := now.Truncate(day).Add(day); full && t.rec.State == core.Ready && at.Before(midnight) {
			at = midnight
		}
		behind := !t.expires.IsZero() && !at.After(now)
		if id == "" || behind && !left || behind == left && (at.Before(wake) || at.Equal(wake) && t.rec.ID < id) {
			id, wake, left = t.rec.ID, at, behind
		}
	}
	for _, at := range []time.Time{s.notBefore, s.pausedUntil} {
		if at.After(wake) {
			wake = at
		}
	}
	if running >= lim.Concurrency && soonest.After(wake) {
		wake = soonest
	}
	return id, wake
}

// Claim implements core.Store.
func (m *Memory) Claim(ctx context.Context, owner string, lease time.Duration, first func(core.Record) (core.Move, bool)) (core.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return core.Record{}, err
	}
	now := m.clock()
	if !m.runners[owner].After(now) {
		return core.Record{}, core.ErrNothing
	}
	best, from := "", ""
	for _, domain := range slices.Sorted(maps.Keys(m.runs[owner])) {
		id, wake := m.next(domain, now)
		if id == "" || wake.After(now) {
			continue
		}
		if best == "" || m.site(domain).notBefore.Before(m.site(from).notBefore) {
			best, from = id, domain
		}
	}
	if best == "" {
		return core.Record{}, core.ErrNothing
	}
	s, t := m.site(from), *m.tasks[best]
	lim, _ := m.limits(from, now)
	fresh := t.rec.State == core.Ready
	t.rec.Lease = core.Lease{TaskID: best, Owner: owner, Epoch: t.rec.Lease.Epoch + 1}
	t.rec.Due, t.expires = now, now.Add(lease)
	if first != nil {
		if mv, ok := first(t.rec); ok {
			if mv.To.Releases() {
				return core.Record{}, fmt.Errorf("task %s: a claim that moves to %s gives back what it takes", best, mv.To)
			}
			if err := m.move(&t, mv, now); err != nil {
				return core.Record{}, err
			}
		}
	}
	if today := now.Unix() / 86400; s.day != today {
		s.day, s.today = today, 0
	}
	if fresh {
		s.today++
	}
	s.notBefore = now.Add(lim.Every)
	m.tasks[best] = &t
	return t.rec, nil
}

// NextDue implements core.Store.
func (m *Memory) NextDue(_ context.Context, owner string) (time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, soonest := m.clock(), time.Time{}
	for domain := range m.runs[owner] {
		if id, wake := m.next(domain, now); id != "" && (soonest.IsZero() || wake.Before(soonest)) {
			soonest = wake
		}
	}
	return soonest, nil
}

// maxPause bounds a pause that failures cause.
const maxPause = day

// SiteSaw implements core.Store.
func (m *Memory) SiteSaw(_ context.Context, domain, cause string, after int, pause time.Duration) (time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, now := m.site(domain), m.clock()
	switch {
	case s.byPerson:
		return s.pausedUntil, nil
	case cause == "":
		s.cause, s.series, s.pause, s.pausedUntil, s.pausedWhy = "", 0, 0, time.Time{}, ""
		m.changed()
		return time.Time{}, nil
	case s.pausedUntil.After(now):
		return s.pausedUntil, nil
	}
	if s.series++; cause != s.cause {
		s.series = 1
	}
	s.cause = cause
	switch {
	case s.pause > 0:
		s.pause = min(2*s.pause, maxPause)
	case s.series >= max(after, 1):
		s.pause = min(max(pause, time.Second), maxPause)
	}
	s.pausedUntil, s.pausedWhy = time.Time{}, ""
	if s.pause > 0 {
		s.pausedUntil, s.pausedWhy = now.Add(s.pause), cause
	}
	return s.pausedUntil, nil
}

// PauseSite implements core.Admin.
func (m *Memory) PauseSite(_ context.Context, domain, why string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.site(domain)
	s.byPerson, s.pausedWhy, s.pausedUntil = true, why, time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	return nil
}

// ResumeSite implements core.Admin.
func (m *Memory) ResumeSite(_ context.Context, domain string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.site(domain)
	s.byPerson, s.pausedWhy, s.pausedUntil, s.pause, s.cause, s.series = false, "", time.Time{}, 0, "", 0
	m.changed()
	return nil
}

// Sites implements core.Admin.
func (m *Memory) Sites(context.Context) ([]core.SiteStatus, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock()
	for _, t := range m.tasks {
		m.site(t.rec.Domain)
	}
	var out []core.SiteStatus
	for _, domain := range slices.Sorted(maps.Keys(m.sites)) {
		s := m.sites[domain]
		st := core.SiteStatus{NotBefore: s.notBefore, ByPerson: s.byPerson}
		st.SiteLimits, _ = m.limits(domain, now)
		if s.pausedUntil.After(now) {
			st.PausedUntil, st.PausedWhy = s.pausedUntil, s.pausedWhy
		}
		if s.day == now.Unix()/86400 {
			st.Today = s.today
		}
		for _, t := range m.tasks {
			if t.rec.Domain == domain && t.expires.After(now) {
				st.Running++
			}
			if t.rec.Domain == domain && !t.rec.State.Final() {
				st.Waiting++
			}
		}
		out = append(out, st)
	}
	return out, nil
}

// Summary implements core.Admin.
func (m *Memory) Summary(context.Context) ([]core.SiteCount, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	counts := map[string]map[core.State]int{}
	for _, t := range m.tasks {
		if counts[t.rec.Domain] == nil {
			counts[t.rec.Domain] = map[core.State]int{}
		}
		counts[t.rec.Domain][t.rec.State]++
	}
	var out []core.SiteCount
	for _, domain := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, core.SiteCount{Domain: domain, States: counts[domain]})
	}
	return out, nil
}
