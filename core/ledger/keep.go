package ledger

import (
	"context"
	"errors"
	"time"
)

// Retain implements core.Store.
func (l *Ledger) Retain(ctx context.Context, before time.Time) (int, error) {
	return 0, errors.New("not yet")
}

// Backup implements core.Admin.
func (l *Ledger) Backup(ctx context.Context, path string) error {
	return l.fail("back up", l.backup(ctx, path))
}

func (d *sqliteDB) backup(ctx context.Context, path string) error {
	return errors.New("not yet")
}
