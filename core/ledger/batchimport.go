package ledger

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/rollcall-run/rollcall/core"
)

// bulkRowDoc and bulkImportDoc are what is sealed of a row and of an import.
type bulkRowDoc struct {
	Fields map[string]valueDoc `json:"fields"`
	Cells  []valueDoc          `json:"cells,omitempty"`
}

type bulkImportDoc struct {
	Header []string `json:"header"`
}

const (
	bulkRowTable    = "bulk_row"
	bulkImportTable = "bulk_import"
)

// bulkNames are the keyed hashes of a row's e-mail and username.
func (l *Ledger) bulkNames(domain, email, username string) (e, u []byte) {
	return l.mac("bulk", domain, core.FieldEmail, normal(email, false)), l.mac("bulk", domain, core.FieldUsername, normal(username, false))
}

// AddImport implements core.BulkAdmin.
func (l *Ledger) AddImport(ctx context.Context, imp core.BulkImport, rows []core.BulkRow) (core.BulkImport, error) {
	for _, r := range rows {
		for _, name := range slices.Sorted(maps.Keys(r.Fields)) {
			if !utf8.ValidString(r.Fields[name].Reveal()) {
				return imp, fmt.Errorf("import %s: row %d: %s is not valid UTF-8", imp.Name, r.Num, name)
			}
		}
	}
	err := l.write(ctx, "store the import of "+imp.Name, func(x *tx) error {
		now, err := x.time()
		if err != nil {
			return err
		}
		mac := l.mac("import", imp.Digest)
		// The site's row orders imports and calls.
		if _, err := x.lockBulk(imp.Domain); err != nil {
			return err
		}
		var old string
		found, err := x.first([]any{&old}, `SELECT id FROM bulk_import WHERE domain = $1 AND mac = $2`, imp.Domain, mac)
		if err != nil {
			return err
		}
		if found {
			imp.ID, imp.Adopted = old, true
			return x.importAgain(old, imp.Batch, now)
		}
		imp.ID, imp.Created, imp.Adopted, imp.Rows = rand.Text(), at(now), false, len(rows)
		sealed, err := x.seal(bulkImportDoc{imp.Header}, bulkImportTable, imp.ID, "import")
		if err != nil {
			return err
		}
		if _, err := x.exec(`INSERT INTO bulk_import (id, domain, name, mac, size, batch, created, kept, sealed) VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8)`,
			imp.ID, imp.Domain, plain(imp.Name), mac, len(rows), imp.Batch, now, sealed); err != nil {
			return err
		}
		for i, r := range rows {
			r.ID, r.Import, r.TaskID, r.BatchSize = fmt.Sprintf("%s/%d", imp.ID, r.Num), imp.ID, "", imp.Batch
			if r.State != core.BulkInvalid {
				r.State = core.BulkWaiting
				twin, err := x.twin(imp.Domain, r.Fields[core.FieldEmail].Reveal(), r.Fields[core.FieldUsername].Reveal(), "")
				switch {
				case err == nil:
					r.State, r.UserID, r.Message = core.BulkSame, twin.UserID, "the same user: "+placeOf(twin)
				case !errors.Is(err, core.ErrNothing):
					return err
				}
			}
			if err := x.putBulkRow(imp.Domain, r, now+int64(i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return imp, err
	}
	l.changed()
	all, err := l.Imports(ctx, imp.Domain)
	for _, got := range all {
		if got.ID == imp.ID {
			got.Adopted, got.Digest = imp.Adopted, imp.Digest
			return got, err
		}
	}
	return imp, err
}

// importAgain puts what was refused as a whole back into the queue.
func (x *tx) importAgain(id string, batch int, now int64) error {
	if batch > 0 {
		for _, q := range []string{`UPDATE bulk_import SET batch = $2 WHERE id = $1`, `UPDATE bulk_row SET batch_size = $2 WHERE import_id = $1`} {
			if _, err := x.exec(q, id, batch); err != nil {
				return err
			}
		}
	}
	_, err := x.exec(`UPDATE bulk_row SET state = 'waiting', message = '', updated = $2 WHERE import_id = $1 AND state = 'refused' AND sealed IS NOT NULL`, id, now)
	return err
}

// placeOf says where a row came from.
func placeOf(r core.BulkRow) string {
	if r.TaskID != "" {
		return fmt.Sprintf("task %s (%s)", r.TaskID, r.State)
	}
	return fmt.Sprintf("row %d of import %s (%s)", r.Num, r.Import, r.State)
}

func (x *tx) putBulkRow(domain string, r core.BulkRow, seq int64) error {
	doc := bulkRowDoc{Fields: valuesDoc(r.Fields)}
	for _, c := range r.Cells {
		doc.Cells = append(doc.Cells, docOf(c))
	}
	sealed, err := x.seal(doc, bulkRowTable, r.ID, "row")
	if err != nil {
		return err
	}
	e, u := x.l.bulkNames(domain, r.Fields[core.FieldEmail].Reveal(), r.Fields[core.FieldUsername].Reveal())
	_, err = x.exec(`INSERT INTO bulk_row (id, domain, import_id, task_id, num, line, state, batch, batch_size, place, sends, uncertain, user_id,
		message, email_mac, username_mac, seq, updated, sealed) VALUES ($1, $2, $3, $4, $5, $6, $7, '', $8, 0, 0, 0, $9, $10, $11, $12, $13, $13, $14)
		ON CONFLICT (id) DO UPDATE SET state = excluded.state, uncertain = 0, user_id = '', message = '', email_mac = excluded.email_mac,
		username_mac = excluded.username_mac, updated = excluded.updated, sealed = excluded.sealed`,
		r.ID, domain, r.Import, r.TaskID, r.Num, r.Line, string(r.State), r.BatchSize, plain(r.UserID), plain(r.Message), e, u, seq, sealed)
	return err
}

const bulkRowColumns = `id, import_id, task_id, num, line, state, batch, batch_size, sends, uncertain, user_id, message, updated, sealed`

// bulkRows calls f for each row that the rest of the statement selects.
func (x *tx) bulkRows(f func(core.BulkRow) error, rest string, args ...any) error {
	return x.each(func(scan func(...any) error) error {
		var (
			r       core.BulkRow
			updated int64
			sealed  []byte
		)
		if err := scan(&r.ID, &r.Import, &r.TaskID, &r.Num, &r.Line, &r.State, &r.Batch, &r.BatchSize, &r.Sends, &r.Uncertain, &r.UserID,
			&r.Message, &updated, &sealed); err != nil {
			return err
		}
		var d bulkRowDoc
		if err := x.l.unseal(sealed, &d, bulkRowTable, r.ID, "row"); err != nil {
			return err
		}
		r.Fields, r.Updated = valuesOf(d.Fields), at(updated)
		for _, c := range d.Cells {
			r.Cells = append(r.Cells, c.value())
		}
		return f(r)
	}, `SELECT `+bulkRowColumns+` FROM bulk_row `+rest, args...)
}

// twin is a row that has, or may get, an account with one of the names.
func (x *tx) twin(domain, email, username, notTask string) (core.BulkRow, error) {
	e, u := x.l.bulkNames(domain, email, username)
	var twin core.BulkRow
	for _, q := range []struct {
		column string
		mac    []byte
	}{{"email_mac", e}, {"username_mac", u}} {
		err := x.bulkRows(func(r core.BulkRow) error {
			if twin.ID == "" {
				twin = r
			}
			return nil
		}, `WHERE domain = $1 AND `+q.column+` = $2 AND task_id <> $3 AND state IN ('waiting', 'sent', 'uncertain', 'created', 'created_unconfirmed') LIMIT 1`,
			domain, q.mac, twinNot(notTask))
		if err != nil {
			return twin, err
		}
		if twin.ID != "" {
			return twin, nil
		}
	}
	return twin, core.ErrNothing
}

// twinNot is a task id that no row has where none is excluded.
func twinNot(task string) string {
	if task == "" {
		return "\x01"
	}
	return task
}

// BulkTwin implements core.BulkStore.
func (l *Ledger) BulkTwin(ctx context.Context, domain, email, username, notTask string) (core.BulkRow, error) {
	var twin core.BulkRow
	err := l.read(ctx, "look for the same user", func(x *tx) (err error) {
		twin, err = x.twin(domain, email, username, notTask)
		return err
	})
	return twin, err
}

// Imports implements core.BulkAdmin.
func (l *Ledger) Imports(ctx context.Context, domain string) ([]core.BulkImport, error) {
	var out []core.BulkImport
	query, args := `SELECT id, domain, name, size, batch, created, sealed FROM bulk_import`, []any(nil)
	if domain != "" {
		query, args = query+` WHERE domain = $1`, []any{domain}
	}
	err := l.read(ctx, "read the imports", func(x *tx) error {
		out = nil
		err := x.each(func(scan func(...any) error) error {
			imp := core.BulkImport{Counts: map[core.BulkState]int{}}
			var (
				created int64
				sealed  []byte
				doc     bulkImportDoc
			)
			if err := scan(&imp.ID, &imp.Domain, &imp.Name, &imp.Rows, &imp.Batch, &created, &sealed); err != nil {
				return err
			}
			if err := l.unseal(sealed, &doc, bulkImportTable, imp.ID, "import"); err != nil {
				return err
			}
			imp.Created, imp.Header = at(created), doc.Header
			out = append(out, imp)
			return nil
		}, query, args...)
		if err != nil {
			return err
		}
		slices.SortFunc(out, func(a, b core.BulkImport) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
		for i := range out {
			if err := x.each(func(scan func(...any) error) error {
				var (
					state core.BulkState
					n     int
				)
				err := scan(&state, &n)
				out[i].Counts[state] = n
				return err
			}, `SELECT state, count(*) FROM bulk_row WHERE import_id = $1 GROUP BY state`, out[i].ID); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// bulkPage is how many rows are read at a time.
const bulkPage = 500

// ImportRows implements core.BulkAdmin.
func (l *Ledger) ImportRows(ctx context.Context, id string, f func(core.BulkRow) error) error {
	for last := 0; ; {
		var page []core.BulkRow
		err := l.read(ctx, "read the rows of import "+id, func(x *tx) error {
			page = page[:0]
			return x.bulkRows(func(r core.BulkRow) error { page = append(page, r); return nil },
				`WHERE import_id = $1 AND num > $2 ORDER BY num LIMIT $3`, id, last, bulkPage)
		})
		if err != nil {
			return err
		}
		for _, r := range page {
			if err := f(r); err != nil {
				return err
			}
			last = r.Num
		}
		if len(page) < bulkPage {
			return nil
		}
	}
}

// bulkToSend are the rows that go out. One of a task goes out again only while
// nobody knows what became of the task.
const bulkToSend = `state IN ('waiting', 'uncertain')
	AND (task_id = '' OR EXISTS (SELECT 1 FROM task t WHERE t.id = bulk_row.task_id AND t.state = 'unknown'))`

// BulkNext implements core.BulkStore.
func (l *Ledger) BulkNext(ctx context.Context, domain string, limit int) ([]core.BulkRow, error) {
	var out []core.BulkRow
	err := l.read(ctx, "read the users to be sent", func(x *tx) error {
		out = nil
		return x.bulkRows(func(r core.BulkRow) error { out = append(out, r); return nil },
			`WHERE domain = $1 AND `+bulkToSend+` ORDER BY seq, id LIMIT $2`, domain, limit)
	})
	return out, err
}

// retainBulk deletes the users of imports that ended long ago. The keyed hashes
// of their names stay, so that nobody is made twice.
func (l *Ledger) retainBulk(ctx context.Context, before time.Time) error {
	return l.write(ctx, "delete old imports", func(x *tx) error {
		var ids []string
		err := x.each(func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			ids = append(ids, id)
			return err
		}, `SELECT id FROM bulk_import WHERE kept = 1 AND created < $1 AND NOT EXISTS
			(SELECT 1 FROM bulk_row WHERE import_id = bulk_import.id AND state IN ('waiting', 'sent', 'uncertain')) LIMIT 20`, before.UnixMicro())
		if err != nil {
			return err
		}
		for _, id := range ids {
			for _, q := range []string{`UPDATE bulk_row SET sealed = NULL WHERE import_id = $1`, `UPDATE bulk_import SET kept = 0 WHERE id = $1`} {
				if _, err := x.exec(q, id); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
