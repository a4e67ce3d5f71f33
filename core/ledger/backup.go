package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// Backup implements core.Admin. The file must not exist. The copy is sealed
// under the same master key, which it does not contain.
func (l *Ledger) Backup(ctx context.Context, path string) error {
	return l.fail("back up", l.backup(ctx, path))
}

// backup copies through SQLite itself: a copy made with other means would miss
// what stands in the write-ahead log, and closing the file would drop its locks.
func (d *sqliteDB) backup(ctx context.Context, path string) error {
	if path == "" {
		return errors.New("name the file to write")
	}
	// O_EXCL claims the name with mode 0600; VACUUM INTO accepts an empty file.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := d.vacuumInto(ctx, path); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

func (d *sqliteDB) vacuumInto(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", d.dsn("")) // the readers may not write, not even elsewhere
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `VACUUM INTO ?`, path)
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := stamp(ctx, path); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("sync %s: %w", path, err)
	}
	return nil
}

// stamp writes into the copy that it is one, so that a runner that is given it
// probes before it submits anything.
func stamp(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `INSERT INTO flag (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
		core.FlagBackup, time.Now().UTC().Format(time.RFC3339Nano))
	return errors.Join(err, db.Close())
}
