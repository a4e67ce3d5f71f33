package ledger

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

//go:embed postgres/*.sql
var postgresSchema embed.FS

const (
	// advisoryLock is held while the schema, the key or the sealing is changed.
	advisoryLock = 0x726f6c6c // "roll"
	// sealingLock is held shared by a transaction that stores sealed text, while it
	// commits, and alone while everything is sealed under another key.
	sealingLock = advisoryLock + 1
	// poolSize bounds the connections of one process.
	poolSize = 10
	// longestIdle is how long a transaction may stand still at most.
	longestIdle = 30 * time.Second
	// oldestServer is the first version with generated columns.
	oldestServer = 120000
)

// postgresDB is a PostgreSQL database that several processes may use.
type postgresDB struct {
	words
	db      *sql.DB
	signals *signals
	where   string
}

// openPostgres opens the database and returns its name without a password.
func openPostgres(ctx context.Context, address string, lease time.Duration, log *slog.Logger, notify func()) (database, string, error) {
	cfg, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, "at the postgres address", errors.New("the address can't be read; write postgres://USER@HOST:PORT/DATABASE")
	}
	where := fmt.Sprintf("postgres://%s:%d/%s", cfg.Host, cfg.Port, cfg.Database)
	if lease == 0 {
		lease = longestIdle
	}
	idle := max(time.Second, min(lease, longestIdle))
	for name, value := range map[string]string{
		"synchronous_commit": "on", "application_name": "rollcall",
		// A stopped process must not keep others from a row for long.
		"idle_in_transaction_session_timeout": fmt.Sprintf("%dms", idle.Milliseconds()), "lock_timeout": "20s",
	} {
		cfg.RuntimeParams[name] = value
	}
	d := &postgresDB{db: stdlib.OpenDB(*cfg), where: where}
	d.db.SetMaxOpenConns(poolSize)
	d.db.SetMaxIdleConns(poolSize)
	d.words.replace = strings.NewReplacer(
		"{now}", "COALESCE($1::bigint, (extract(epoch FROM statement_timestamp()) * 1000000)::bigint)",
		"{for update}", "FOR UPDATE", "{for update site}", "FOR UPDATE OF s SKIP LOCKED", "{for update skip}", "FOR UPDATE SKIP LOCKED",
		"{max}", "GREATEST", "{lock ledger}", fmt.Sprintf("SELECT pg_advisory_xact_lock(%d)", advisoryLock),
		"{lock sealing}", fmt.Sprintf("SELECT pg_advisory_xact_lock(%d)", sealingLock), "{share sealing}", fmt.Sprintf("SELECT pg_advisory_xact_lock_shared(%d)", sealingLock),
		"{sites $2}", `jsonb_to_recordset($2::jsonb) AS d(domain text, driver text, every bigint, concurrency bigint,
			max_per_day bigint, expires bigint)`,
		"{d.domain}", "d.domain", "{d.driver}", "d.driver", "{d.every}", "d.every", "{d.concurrency}", "d.concurrency",
		"{d.max_per_day}", "d.max_per_day", "{d.expires}", "d.expires")
	if err := d.open(ctx); err != nil {
		return nil, where, errors.Join(d.clean(err), d.db.Close())
	}
	d.signals = startSignals(cfg, log, notify)
	return d, where, nil
}

func (d *postgresDB) open(ctx context.Context) error {
	var version int
	if err := d.db.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int`).Scan(&version); err != nil {
		return err
	}
	if version < oldestServer {
		return fmt.Errorf("the server is version %d.%d; PostgreSQL 12 or newer is needed", version/10000, version%10000)
	}
	schema, err := fs.Sub(postgresSchema, "postgres")
	if err != nil {
		return err
	}
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(ctx, `SET lock_timeout = 0`); err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock($1)`, advisoryLock); err != nil {
		return fmt.Errorf("wait for another runner's migration: %w", err)
	}
	err = migrate(ctx, goose.DialectPostgres, d.db, schema)
	for _, q := range []string{fmt.Sprintf(`SELECT pg_advisory_unlock(%d)`, advisoryLock), `RESET lock_timeout`} {
		_, undo := conn.ExecContext(context.WithoutCancel(ctx), q)
		err = errors.Join(err, undo)
	}
	return err
}

func (d *postgresDB) reader() querier { return d.db }
func (d *postgresDB) exclusive() bool { return false }
func (d *postgresDB) announce()       { d.signals.announce() }

func (d *postgresDB) clean(err error) error {
	var e *pgconn.PgError
	switch {
	case away(err):
		return awayError{err}
	case !errors.As(err, &e):
		return err
	case e.Code == "22012": // nothing but keepKey divides
		return errKeyChanged
	case strings.HasPrefix(e.Code, "53"):
		return fmt.Errorf("the database server is out of room or connections: %w", err)
	case strings.HasPrefix(e.Code, "28"):
		return fmt.Errorf("the database server refused the user or password of [store] url: %w", err)
	case e.Code == "42501":
		return fmt.Errorf("the database user may not do that; grant it CREATE on the schema: %w", err)
	}
	return err
}

// awayError is of a server that may come back: whoever waits and asks again may
// find it.
type awayError struct{ error }

func (e awayError) Unwrap() error { return e.error }

// Temporary says that the same call may work later.
func (awayError) Temporary() bool { return true }

// idleInTransaction is the server's word for a transaction that stood still for too long.
const idleInTransaction = "25P03"

// away reports whether the server could not be reached, is starting or stopping,
// or kept a row locked for too long.
func away(err error) bool {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		const lockTimeout = "55P03"
		return strings.HasPrefix(e.Code, "57P") || strings.HasPrefix(e.Code, "08") || e.Code == lockTimeout || e.Code == idleInTransaction
	}
	var (
		connect *pgconn.ConnectError
		broken  *net.OpError
	)
	return errors.As(err, &connect) || errors.As(err, &broken) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

func (d *postgresDB) backup(context.Context, string) error {
	return fmt.Errorf("PostgreSQL makes its own copies; run: pg_dump --format=custom --file=FILE %s", d.where)
}

func (d *postgresDB) close() error {
	d.signals.close()
	return d.db.Close()
}
