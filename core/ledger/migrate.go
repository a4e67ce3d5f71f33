package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// schemaTable is where goose counts the migrations.
const schemaTable = "schema_version"

// migrate brings the schema up to date, each step in a transaction of its own.
// It refuses a schema that this build does not know, and changes nothing then.
func migrate(ctx context.Context, dialect goose.Dialect, db *sql.DB, files fs.FS, opts ...goose.ProviderOption) error {
	p, err := goose.NewProvider(dialect, db, files,
		append(opts, goose.WithTableName(schemaTable), goose.WithDisableGlobalRegistry(true))...)
	if err != nil {
		return err
	}
	have, known, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the schema version: %w", err)
	}
	if have > known {
		return fmt.Errorf("its schema is %d and this rollcall knows %d at most; use the newer rollcall that made it", have, known)
	}
	if have == known {
		return nil
	}
	if _, err := p.Up(ctx); err != nil && !errors.Is(err, goose.ErrNoNextVersion) {
		return fmt.Errorf("bring the schema from %d to %d: %w", have, known, err)
	}
	return nil
}
