package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// forgetRunner is how long after its last sign of life a registration is kept.
const forgetRunner = 7 * 24 * time.Hour

// Join implements core.Store.
func (l *Ledger) Join(ctx context.Context, owner string, lease time.Duration) error {
	if owner == "" {
		return fmt.Errorf("ledger: a runner needs a name")
	}
	err := l.write(ctx, "join", func(x *tx) error {
		// Reseal looks for live runners under the same lock: whoever opened the
		// ledger before it and joins after it has the old key.
		if _, err := x.exec(`{lock ledger}`); err != nil {
			return err
		}
		if err := x.verifyKey(); err != nil {
			return err
		}
		now, err := x.time()
		if err != nil {
			return err
		}
		if l.exclusive() {
			// Whoever has the file's lock knows that every older owner is dead.
			for _, q := range []string{`DELETE FROM runner`, `DELETE FROM runner_site`, `DELETE FROM lister`,
				`UPDATE outbox SET owner = '', expires = NULL WHERE expires IS NOT NULL`} {
				if _, err := x.exec(q); err != nil {
					return err
				}
			}
			if err := x.endLeases(`expires IS NOT NULL`, now); err != nil {
				return err
			}
		}
		old := now - forgetRunner.Microseconds()
		if _, err := x.exec(`DELETE FROM runner_site WHERE owner IN (SELECT owner FROM runner WHERE expires < $1)`, old); err != nil {
			return err
		}
		if _, err := x.exec(`DELETE FROM runner WHERE expires < $1`, old); err != nil {
			return err
		}
		_, err = x.exec(`INSERT INTO runner (owner, expires) VALUES ($1, $2) ON CONFLICT (owner) DO UPDATE SET expires = excluded.expires`,
			owner, now+lease.Microseconds())
		return err
	})
	if err == nil {
		l.changed()
	}
	return err
}

// time reads the transaction's clock.
func (x *tx) time() (now int64, err error) {
	err = x.row(`SELECT CAST({now} AS BIGINT)`, x.l.clock()).Scan(&now)
	return now, err
}

// endLeases ends the leases that where selects. Who had them has not said what
// follows: their tasks are due at once, whatever they were waiting for.
func (x *tx) endLeases(where string, now int64, args ...any) error {
	args = append(args, now)
	set := fmt.Sprintf(`owner = '', expires = NULL, due = $%d`, len(args))
	domains := map[string]bool{}
	err := x.each(func(scan func(...any) error) error {
		var d string
		err := scan(&d)
		domains[d] = true
		return err
	}, `UPDATE task SET `+set+` WHERE `+where+` RETURNING domain`, args...)
	if err != nil {
		return err
	}
	return x.wakeSites(domains, now)
}

// wakeSites wakes sites in the order of their names, so that two transactions
// never wait for each other.
func (x *tx) wakeSites(domains map[string]bool, now int64) error {
	sorted := make([]string, 0, len(domains))
	for d := range domains {
		sorted = append(sorted, d)
	}
	slices.Sort(sorted)
	for _, d := range sorted {
		if err := x.wakeSite(d, now, now); err != nil {
			return err
		}
	}
	return nil
}

// Leave implements core.Store.
func (l *Ledger) Leave(ctx context.Context, owner string) error {
	err := l.write(ctx, "leave", func(x *tx) error {
		now, err := x.time()
		if err != nil {
			return err
		}
		if err := x.endLeases(`owner = $1 AND expires IS NOT NULL`, now, owner); err != nil {
			return err
		}
		if err := x.wakeSitesOf(owner, now); err != nil {
			return err
		}
		for _, q := range []string{`UPDATE outbox SET owner = '', expires = NULL WHERE owner = $1 AND expires IS NOT NULL`,
			`DELETE FROM lister WHERE owner = $1`, `DELETE FROM runner_site WHERE owner = $1`, `DELETE FROM runner WHERE owner = $1`} {
			if _, err := x.exec(q, owner); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		l.changed()
	}
	return err
}

// wakeSitesOf makes every site of the owner that has tasks worth a look: its
// limits change.
func (x *tx) wakeSitesOf(owner string, now int64) error {
	_, err := x.exec(`UPDATE site SET ready_at = {max}($2, not_before, paused_until) WHERE by_person = 0
		AND domain IN (SELECT domain FROM runner_site WHERE owner = $1)
		AND EXISTS (SELECT 1 FROM task t WHERE t.domain = site.domain AND t.state = 'ready' AND t.wake IS NOT NULL
			UNION ALL SELECT 1 FROM task t WHERE t.domain = site.domain AND t.state <> 'ready' AND t.wake IS NOT NULL)`, owner, now)
	return err
}

// siteRow is a site of PutSites on its way into a statement.
type siteRow struct {
	Domain      string `json:"domain"`
	Driver      string `json:"driver"`
	Every       int64  `json:"every"`
	Concurrency int    `json:"concurrency"`
	MaxPerDay   int    `json:"max_per_day"`
	Expires     int64  `json:"expires"`
}

// PutSites implements core.Store.
func (l *Ledger) PutSites(ctx context.Context, owner string, sites []core.SiteLimits) error {
	rows := make([]siteRow, 0, len(sites))
	for _, s := range sites {
		rows = append(rows, siteRow{s.Domain, s.Driver, max(s.Every, 0).Microseconds(), max(s.Concurrency, 1), max(s.MaxPerDay, 0), micro(s.Expires)})
	}
	slices.SortFunc(rows, func(a, b siteRow) int { return cmp.Compare(a.Domain, b.Domain) })
	for i := 1; i < len(rows); i++ {
		if rows[i].Domain == rows[i-1].Domain {
			return fmt.Errorf("ledger: the site %s is named twice", rows[i].Domain)
		}
	}
	doc, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	err = l.write(ctx, "store the sites of "+owner, func(x *tx) error {
		now, err := x.time()
		if err != nil {
			return err
		}
		// What the owner could run before is woken too: its limits may have been the strictest.
		if err := x.wakeSitesOf(owner, now); err != nil {
			return err
		}
		if _, err := x.exec(`DELETE FROM runner_site WHERE owner = $1`, owner); err != nil {
			return err
		}
		if _, err := x.exec(`INSERT INTO runner_site (domain, owner, driver, every, concurrency, max_per_day, expires)
			SELECT {d.domain}, $1, {d.driver}, {d.every}, {d.concurrency}, {d.max_per_day}, {d.expires} FROM {sites $2}`, owner, string(doc)); err != nil {
			return err
		}
		if _, err := x.exec(`INSERT INTO site (domain) SELECT domain FROM runner_site WHERE owner = $1 ORDER BY domain
			ON CONFLICT (domain) DO NOTHING`, owner); err != nil {
			return err
		}
		return x.wakeSitesOf(owner, now)
	})
	if err == nil {
		l.changed()
	}
	return err
}

// Beat implements core.Store. ErrNotJoined when the registration is gone.
func (l *Ledger) Beat(ctx context.Context, owner string, lease time.Duration) (map[string]int64, error) {
	held := map[string]int64{}
	err := l.write(ctx, "renew the leases of "+owner, func(x *tx) error {
		clear(held)
		var until int64
		found, err := x.first([]any{&until}, `UPDATE runner SET expires = {now} + $2 WHERE owner = $3 RETURNING expires`,
			l.clock(), lease.Microseconds(), owner)
		if err != nil {
			return err
		}
		if !found {
			return ErrNotJoined
		}
		now := until - lease.Microseconds()
		return x.each(func(scan func(...any) error) error {
			var (
				id    string
				epoch int64
			)
			err := scan(&id, &epoch)
			held[id] = epoch
			return err
		}, beatQuery, owner, now, until)
	})
	if err != nil {
		return nil, err
	}
	return held, nil
}

const beatQuery = `UPDATE task SET expires = $3 WHERE owner = $1 AND expires > $2 RETURNING id, epoch`

// TakeList implements core.Store.
func (l *Ledger) TakeList(ctx context.Context, owner string, lease time.Duration) (bool, error) {
	var got bool
	err := l.write(ctx, "take the list", func(x *tx) error {
		// What is listed is sealed: not under a key that was replaced meanwhile.
		if err := x.verifyKey(); err != nil {
			return err
		}
		now, err := x.time()
		if err != nil {
			return err
		}
		n, err := x.exec(`INSERT INTO lister (name, owner, expires) VALUES ('list', $1, $2) ON CONFLICT (name) DO UPDATE
			SET owner = excluded.owner, expires = excluded.expires WHERE lister.owner = excluded.owner OR lister.expires <= $3`,
			owner, now+lease.Microseconds(), now)
		got = n == 1
		return err
	})
	return got && err == nil, err
}
