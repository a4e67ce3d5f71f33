package ledger

import (
	"context"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// maxPause bounds a pause that failures cause.
const maxPause = 24 * time.Hour

// never is until when a person's pause lasts.
var never = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// ensureSite makes the row of a site, so that it can be locked.
const ensureSite = `INSERT INTO site (domain) VALUES ($1) ON CONFLICT (domain) DO NOTHING`

// SiteSaw implements core.Store. A half-open try that fails, whatever the
// cause, pauses the site again for twice as long; failures of visits that began
// before the pause change nothing. A person's pause is not touched.
func (l *Ledger) SiteSaw(ctx context.Context, domain, cause string, after int, pause time.Duration) (time.Time, error) {
	var until time.Time
	var woke bool
	if cause == "" {
		if calm, err := l.calm(ctx, domain); err != nil || calm {
			return time.Time{}, err
		}
	}
	err := l.write(ctx, "count a visit to "+domain, func(x *tx) error {
		if _, err := x.exec(ensureSite, domain); err != nil {
			return err
		}
		var (
			now, pausedUntil, length int64
			series                   int
			byPerson                 bool
			last                     string
		)
		if err := x.row(`SELECT {now}, paused_until, pause, by_person, cause, series FROM site WHERE domain = $2 {for update}`,
			l.clock(), domain).Scan(&now, &pausedUntil, &length, &byPerson, &last, &series); err != nil {
			return err
		}
		until, woke = time.Time{}, false
		switch {
		case byPerson:
			until = at(pausedUntil)
			return nil
		case cause == "":
			if series == 0 && length == 0 && last == "" {
				return nil
			}
			if _, err := x.exec(`UPDATE site SET cause = '', series = 0, pause = 0, paused_until = 0, paused_why = '' WHERE domain = $1`, domain); err != nil {
				return err
			}
			woke = length > 0
			if woke {
				return x.wakeSite(domain, now, now)
			}
			return nil
		case pausedUntil > now:
			until = at(pausedUntil)
			return nil
		}
		if series++; cause != last {
			series = 1
		}
		switch {
		case length > 0:
			length = min(2*length, maxPause.Microseconds())
		case series >= max(after, 1):
			length = min(max(pause, time.Second), maxPause).Microseconds()
		}
		pausedUntil = 0
		why := ""
		if length > 0 {
			pausedUntil, why = now+length, cause
			until = at(pausedUntil)
		}
		_, err := x.exec(`UPDATE site SET cause = $2, series = $3, pause = $4, paused_until = $5, paused_why = $6,
			ready_at = CASE WHEN ready_at IS NULL THEN NULL ELSE {max}(ready_at, $5) END WHERE domain = $1`,
			domain, plain(cause), series, length, pausedUntil, plain(why))
		return err
	})
	if err == nil && woke {
		l.changed()
	}
	return until, err
}

// calm reports whether a success changes nothing at a site: it has no series of
// failures and no pause.
func (l *Ledger) calm(ctx context.Context, domain string) (bool, error) {
	var one int
	var calm bool
	err := l.read(ctx, "read the series of "+domain, func(x *tx) (err error) {
		calm, err = x.first([]any{&one}, `SELECT 1 FROM site WHERE domain = $1 AND series = 0 AND pause = 0 AND cause = '' AND by_person = 0`, domain)
		return err
	})
	return calm, err
}

// PauseSite implements core.Admin. It lasts until ResumeSite.
func (l *Ledger) PauseSite(ctx context.Context, domain, why string) error {
	return l.write(ctx, "pause "+domain, func(x *tx) error {
		_, err := x.exec(`INSERT INTO site (domain, by_person, paused_until, paused_why) VALUES ($1, 1, $2, $3)
			ON CONFLICT (domain) DO UPDATE SET by_person = 1, paused_until = excluded.paused_until, paused_why = excluded.paused_why, ready_at = NULL`,
			domain, never.UnixMicro(), plain(why))
		return err
	})
}

// ResumeSite implements core.Admin. It ends every pause and every series of failures.
func (l *Ledger) ResumeSite(ctx context.Context, domain string) error {
	err := l.write(ctx, "resume "+domain, func(x *tx) error {
		now, err := x.time()
		if err != nil {
			return err
		}
		if _, err := x.exec(`UPDATE site SET by_person = 0, paused_until = 0, paused_why = '', pause = 0, cause = '', series = 0
			WHERE domain = $1`, domain); err != nil {
			return err
		}
		return x.wakeSite(domain, now, now)
	})
	if err == nil {
		l.changed()
	}
	return err
}

// Sites implements core.Admin.
func (l *Ledger) Sites(ctx context.Context) ([]core.SiteStatus, error) {
	var out []core.SiteStatus
	err := l.read(ctx, "read the sites", func(x *tx) error {
		out = nil
		now, err := x.time()
		if err != nil {
			return err
		}
		running, err := x.counts(`SELECT domain, count(*) FROM task WHERE expires > $1 GROUP BY domain`, now)
		if err != nil {
			return err
		}
		waiting, err := x.counts(`SELECT domain, count(*) FROM task WHERE state IN (` + openStates + `) GROUP BY domain`)
		if err != nil {
			return err
		}
		err = x.each(func(scan func(...any) error) error {
			var (
				s                           core.SiteStatus
				notBefore, paused, day, tod int64
			)
			if err := scan(&s.Domain, &notBefore, &paused, &s.PausedWhy, &s.ByPerson, &day, &tod); err != nil {
				return err
			}
			s.NotBefore = at(notBefore)
			if paused > now {
				s.PausedUntil = at(paused)
			} else {
				s.PausedWhy = ""
			}
			if day == now/dayMicros {
				s.Today = int(tod)
			}
			s.Running, s.Waiting = running[s.Domain], waiting[s.Domain]
			out = append(out, s)
			return nil
		}, `SELECT domain, not_before, paused_until, paused_why, by_person, day, today FROM site ORDER BY domain`)
		if err != nil {
			return err
		}
		for i := range out {
			lim, err := x.limits(out[i].Domain, now)
			if err != nil {
				return err
			}
			out[i].SiteLimits = lim.SiteLimits
		}
		return nil
	})
	return out, err
}

// openStates are the states that are not final, as SQL.
const openStates = `'ready', 'starting', 'prepared', 'intent', 'submitted', 'refused', 'confirmed', 'profiled', 'connected', 'failed',
	'unknown', 'waiting', 'held', 'parked', 'reporting'`

func (x *tx) counts(query string, args ...any) (map[string]int, error) {
	out := map[string]int{}
	err := x.each(func(scan func(...any) error) error {
		var (
			key string
			n   int
		)
		err := scan(&key, &n)
		out[key] = n
		return err
	}, query, args...)
	return out, err
}

// Summary implements core.Admin.
func (l *Ledger) Summary(ctx context.Context) ([]core.SiteCount, error) {
	var out []core.SiteCount
	err := l.read(ctx, "count the tasks", func(x *tx) error {
		out = nil
		index := map[string]int{}
		return x.each(func(scan func(...any) error) error {
			var (
				domain string
				state  core.State
				n      int
			)
			if err := scan(&domain, &state, &n); err != nil {
				return err
			}
			i, ok := index[domain]
			if !ok {
				i = len(out)
				index[domain] = i
				out = append(out, core.SiteCount{Domain: domain, States: map[core.State]int{}})
			}
			out[i].States[state] = n
			return nil
		}, `SELECT domain, state, n FROM (SELECT state, domain, count(*) AS n FROM task GROUP BY state, domain) AS c ORDER BY domain, state`)
	})
	return out, err
}
