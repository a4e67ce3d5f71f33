package ledger

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

var _ core.BulkStore = (*Ledger)(nil)

// bulkSite is a site's row, locked until the transaction ends.
type bulkSite struct {
	domain                     string
	calls                      int64
	calling                    string
	every, timeout, retryAfter time.Duration
	users, failed              int // answered and not judged yet
	visited                    int64
	visitEvery                 time.Duration
}

const bulkSiteColumns = `calls, calling, every, timeout, retry_after, users, failed, visited, visit_every`

func (x *tx) lockBulk(domain string) (s bulkSite, err error) {
	if _, err := x.exec(`INSERT INTO bulk_site (domain) VALUES ($1) ON CONFLICT (domain) DO NOTHING`, domain); err != nil {
		return s, err
	}
	s.domain = domain
	_, err = x.readBulk(&s, ` {for update}`)
	return s, err
}

func (x *tx) readBulk(s *bulkSite, lock string) (bool, error) {
	var every, timeout, after, visit int64
	found, err := x.first([]any{&s.calls, &s.calling, &every, &timeout, &after, &s.users, &s.failed, &s.visited, &visit},
		`SELECT `+bulkSiteColumns+` FROM bulk_site WHERE domain = $1`+lock, s.domain)
	s.every, s.timeout, s.retryAfter, s.visitEvery = micros(every), micros(timeout), micros(after), micros(visit)
	return found, err
}

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

// seen is when this boot saw the present call begin or end; false when it has not yet.
func (x *tx) seen(s bulkSite, boot string) (time.Duration, bool, error) {
	var calls, ended, moment int64
	found, err := x.first([]any{&calls, &ended, &moment}, `SELECT calls, ended, moment FROM bulk_seen WHERE domain = $1 AND boot = $2`, s.domain, boot)
	if err != nil || !found {
		return 0, false, err
	}
	return micros(moment), calls == s.calls && (ended == 1) == (s.calling == ""), nil
}

func (x *tx) see(s bulkSite, now core.Moment) error {
	_, err := x.exec(`INSERT INTO bulk_seen (domain, boot, calls, ended, moment) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (domain, boot)
		DO UPDATE SET calls = excluded.calls, ended = excluded.ended, moment = excluded.moment`,
		s.domain, now.Boot, s.calls, bit(s.calling == ""), now.At.Microseconds())
	return err
}

// opens is how long the window stays shut at now, for a caller with the limits of site.
func (s bulkSite) opens(site core.BulkSite, seen, now time.Duration) time.Duration {
	if s.calls == 0 {
		return 0
	}
	end := seen
	if s.calling != "" {
		end += max(s.timeout, site.Timeout)
	}
	return max(0, end+max(s.every, site.Every, s.retryAfter)-now)
}

// BulkWindow implements core.BulkAdmin.
func (l *Ledger) BulkWindow(ctx context.Context, site core.BulkSite, now core.Moment) (core.BulkWindow, error) {
	w := core.BulkWindow{Domain: site.Domain}
	fresh := false
	look := func(x *tx) error {
		s := bulkSite{domain: site.Domain}
		if _, err := x.readBulk(&s, ""); err != nil {
			return err
		}
		seen, ok, err := x.seen(s, now.Boot)
		if err != nil {
			return err
		}
		if fresh = ok || s.calls == 0; !ok {
			seen = now.At
		}
		w.Calls, w.Calling = int(s.calls), s.calling != ""
		w.OpensIn, w.LostIn = s.opens(site, seen, now.At), 0
		if w.Calling {
			w.LostIn = max(0, seen+max(s.timeout, site.Timeout)-now.At)
		}
		return x.bulkWork(&w, site, s)
	}
	if err := l.read(ctx, "read the window of "+site.Domain, look); err != nil || fresh {
		return w, err
	}
	// This boot sees the call for the first time: from here on it counts itself.
	err := l.write(ctx, "note the window of "+site.Domain, func(x *tx) error {
		s, err := x.lockBulk(site.Domain)
		if err != nil {
			return err
		}
		if _, ok, err := x.seen(s, now.Boot); err != nil || ok {
			return err
		}
		return x.see(s, now)
	})
	if err != nil {
		return w, err
	}
	return w, l.read(ctx, "read the window of "+site.Domain, look)
}

// BulkBegin implements core.BulkStore.
func (l *Ledger) BulkBegin(ctx context.Context, b core.BulkBegin) (core.BulkBatch, error) {
	batch := core.BulkBatch{ID: rand.Text()}
	domain := b.Site.Domain
	err := l.write(ctx, "begin a call to "+domain, func(x *tx) error {
		s, err := x.lockBulk(domain)
		if err != nil {
			return err
		}
		w := core.BulkWindow{Domain: domain}
		if err := x.bulkWork(&w, b.Site, s); err != nil {
			return err
		}
		seen, ok, err := x.seen(s, b.Now.Boot)
		if err != nil {
			return err
		}
		open := s.calls == 0 || ok && s.opens(b.Site, seen, b.Now.At) == 0
		if n := len(b.Rows) + len(b.Tasks); !open || s.calling != "" || w.Held || n == 0 || n > b.Site.Max {
			return core.ErrNothing
		}
		now, err := x.time()
		if err != nil {
			return err
		}
		place := 0
		for _, id := range b.Rows {
			n, err := x.exec(`UPDATE bulk_row SET uncertain = CASE WHEN state = 'uncertain' THEN 1 ELSE uncertain END, state = 'sent', batch = $2,
				place = $3, sends = sends + 1, updated = $4 WHERE id = $1 AND state IN ('waiting', 'uncertain')`, id, batch.ID, place, now)
			if err != nil {
				return err
			}
			if n != 1 {
				return core.ErrNothing
			}
			place++
		}
		for _, t := range b.Tasks {
			if err := x.beginTask(domain, batch.ID, place, t); err != nil {
				return err
			}
			place++
		}
		s.calls, s.calling = s.calls+1, batch.ID
		batch.Call, batch.Users, batch.Failed = int(s.calls), s.users, s.failed
		if _, err := x.exec(`INSERT INTO bulk_batch (id, domain, call, size, hash, how, message, began, ended) VALUES ($1, $2, $3, $4, $5, 'begun', '', $6, 0)`,
			batch.ID, domain, s.calls, place, b.Hash, now); err != nil {
			return err
		}
		if _, err := x.exec(`UPDATE bulk_site SET calls = $2, calling = $3, every = $4, timeout = $5, retry_after = 0 WHERE domain = $1`,
			domain, s.calls, s.calling, b.Site.Every.Microseconds(), b.Site.Timeout.Microseconds()); err != nil {
			return err
		}
		if err := x.see(s, b.Now); err != nil {
			return err
		}
		batch.Rows, err = x.batchRows(batch.ID)
		return err
	})
	if err == nil {
		l.changed()
	}
	return batch, err
}

func (x *tx) batchRows(batch string) (out []core.BulkRow, err error) {
	err = x.bulkRows(func(r core.BulkRow) error { out = append(out, r); return nil },
		`WHERE batch = $1 AND state = 'sent' ORDER BY place`, batch)
	return out, err
}

// beginTask moves a task to Intended and lets go of it: its call brings it on.
func (x *tx) beginTask(domain, batch string, place int, bt core.BulkTask) error {
	t, err := x.leased(bt.Lease)
	if err != nil {
		return err
	}
	if err := x.fill(t); err != nil {
		return err
	}
	row := bt.Row
	row.ID, row.TaskID, row.Import, row.State = "task/"+t.rec.ID, t.rec.ID, "", core.BulkWaiting
	if err := x.putBulkRow(domain, row, t.now); err != nil {
		return err
	}
	if _, err := x.exec(`UPDATE bulk_row SET state = 'sent', batch = $2, place = $3, sends = sends + 1, updated = $4 WHERE id = $1`,
		row.ID, batch, place, t.now); err != nil {
		return err
	}
	in := bt.Intent
	if err := x.move(t, core.Move{To: core.Intended, Phase: core.Register, Intent: &in, Driver: in.Driver, Digest: in.Digest,
		Event: core.Event{Text: "goes out in batch " + batch}}); err != nil {
		return err
	}
	t.release()
	t.rec.Due = time.Time{}
	return x.save(t)
}

// BulkOpen implements core.BulkStore.
func (l *Ledger) BulkOpen(ctx context.Context, domain string) (core.BulkBatch, error) {
	var b core.BulkBatch
	err := l.read(ctx, "read the open call to "+domain, func(x *tx) error {
		s := bulkSite{domain: domain}
		if _, err := x.readBulk(&s, ""); err != nil {
			return err
		}
		if s.calling == "" {
			return core.ErrNothing
		}
		b = core.BulkBatch{ID: s.calling, Call: int(s.calls), Users: s.users, Failed: s.failed}
		var err error
		b.Rows, err = x.batchRows(b.ID)
		return err
	})
	return b, err
}

// BulkEnd implements core.BulkStore.
func (l *Ledger) BulkEnd(ctx context.Context, e core.BulkEnd) error {
	err := l.write(ctx, "end a call to "+e.Domain, func(x *tx) error {
		s, err := x.lockBulk(e.Domain)
		if err != nil {
			return err
		}
		if s.calling == "" || s.calling != e.Batch {
			return core.ErrLeaseLost
		}
		now, err := x.time()
		if err != nil {
			return err
		}
		for _, r := range e.Rows {
			if err := x.endRow(e, r, now); err != nil {
				return fmt.Errorf("row %s: %w", r.ID, err)
			}
		}
		if _, err := x.exec(`UPDATE bulk_batch SET how = $2, message = $3, ended = $4 WHERE id = $1`, e.Batch, e.How, plain(e.Message), now); err != nil {
			return err
		}
		if _, err := x.exec(`UPDATE bulk_site SET calling = '', retry_after = $2, users = $3, failed = $4 WHERE domain = $1`,
			e.Domain, e.RetryAfter.Microseconds(), e.Users, e.Failed); err != nil {
			return err
		}
		s.calling = ""
		if err := x.see(s, e.Now); err != nil {
			return err
		}
		if e.Hold == "" {
			return nil
		}
		_, err = x.exec(`INSERT INTO site (domain, by_person, paused_until, paused_why) VALUES ($1, 1, $2, $3)
			ON CONFLICT (domain) DO UPDATE SET by_person = 1, paused_until = excluded.paused_until, paused_why = excluded.paused_why, ready_at = NULL`,
			e.Domain, never.UnixMicro(), plain(e.Hold))
		return err
	})
	if err == nil {
		l.changed()
	}
	return err
}

func (x *tx) endRow(e core.BulkEnd, r core.BulkRowEnd, now int64) error {
	n, err := x.exec(`UPDATE bulk_row SET state = $3, user_id = $4, message = $5, updated = $6 WHERE id = $1 AND batch = $2 AND state = 'sent'`,
		r.ID, e.Batch, string(r.State), plain(r.UserID), plain(r.Message), now)
	if err != nil {
		return err
	}
	if n != 1 {
		return fmt.Errorf("it is not in batch %s", e.Batch)
	}
	if len(r.Moves) == 0 {
		return nil
	}
	var task string
	if err := x.row(`SELECT task_id FROM bulk_row WHERE id = $1`, r.ID).Scan(&task); err != nil {
		return err
	}
	t, err := x.hold(task)
	if errors.Is(err, core.ErrUnknownTask) {
		return nil // retention took it; the row says what became of it
	}
	if err != nil {
		return err
	}
	if t.rec.State != core.Intended && t.rec.State != core.Unknown {
		return nil // a person has settled it meanwhile
	}
	if err := x.fill(t); err != nil {
		return err
	}
	t.release()
	t.rec.Lease.Epoch++
	for _, m := range r.Moves {
		if t.rec.State == m.To { // unknown before, unknown still: what was said is kept
			t.rec.Fault = plain(m.Fault)
			if err := x.addEvents(t, m.Event); err != nil {
				return err
			}
			if err := x.save(t); err != nil {
				return err
			}
			continue
		}
		if err := x.move(t, m); err != nil {
			return err
		}
	}
	return nil
}
