package ledger

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
	"golang.org/x/sys/unix"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed sqlite/*.sql
var sqliteSchema embed.FS

// quickCheckLimit is the size in bytes up to which a file is checked whole when
// it is opened, at a few milliseconds a megabyte. Larger ones are checked by
// SQLite page by page, as they are read.
const quickCheckLimit = 16 << 20

// InUseError says that another process has the file open.
type InUseError struct {
	Path string
	PID  int // 0 when the lock file does not say
}

func (e *InUseError) Error() string {
	who := "another process"
	if e.PID != 0 {
		who = "process " + strconv.Itoa(e.PID)
	}
	return fmt.Sprintf("%s has %s open; stop it first, or use PostgreSQL for several runners", who, e.Path)
}

// sqliteDB is one file: one connection writes, others read.
type sqliteDB struct {
	words
	path    string
	lock    *os.File
	writer  *sql.DB
	readers *sql.DB
	reading prepared
	group   group
}

func openSQLite(ctx context.Context, path string) (database, error) {
	d := &sqliteDB{path: path}
	d.words.replace = strings.NewReplacer(
		"{now}", "$1", "{for update}", "", "{for update site}", "", "{for update skip}", "",
		"{max}", "max", "{lock ledger}", "SELECT 1", "{lock sealing}", "SELECT 1",
		"{sites $2}", "json_each($2) AS d WHERE true", "{d.domain}", "d.value ->> 'domain'", "{d.driver}", "d.value ->> 'driver'",
		"{d.every}", "d.value ->> 'every'", "{d.concurrency}", "d.value ->> 'concurrency'",
		"{d.max_per_day}", "d.value ->> 'max_per_day'", "{d.expires}", "d.value ->> 'expires'")
	if err := d.open(ctx); err != nil {
		return nil, errors.Join(d.clean(err), d.close())
	}
	return d, nil
}

func (d *sqliteDB) open(ctx context.Context) error {
	if d.path == "" {
		return errors.New("the address names no file; write sqlite:PATH")
	}
	if err := os.MkdirAll(filepath.Dir(d.path), 0o700); err != nil {
		return err
	}
	var err error
	if d.lock, err = lockFile(d.path); err != nil {
		return err
	}
	f, err := os.OpenFile(d.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(0o600), f.Close()); err != nil {
		return err
	}
	if d.writer, err = sql.Open("sqlite", d.dsn("")); err != nil {
		return err
	}
	d.writer.SetMaxOpenConns(1)
	if err := d.check(ctx); err != nil {
		return err
	}
	schema, err := fs.Sub(sqliteSchema, "sqlite")
	if err != nil {
		return err
	}
	if err := migrate(ctx, goose.DialectSQLite3, d.writer, schema); err != nil {
		return err
	}
	conn, err := d.writer.Conn(ctx)
	if err != nil {
		return err
	}
	d.group = newGroup(conn)
	if d.readers, err = sql.Open("sqlite", d.dsn("&_pragma=query_only(1)")); err != nil {
		return err
	}
	d.readers.SetMaxOpenConns(4)
	d.readers.SetMaxIdleConns(4)
	d.reading.DB = d.readers
	return nil
}

// dsn carries every pragma, because one set by a statement reaches one
// connection of the pool only. Each of the five has a small cache: what is read
// again soon is in the system's, and a large one makes steps dearer, not cheaper.
func (d *sqliteDB) dsn(more string) string {
	return "file:" + (&url.URL{Path: d.path}).EscapedPath() +
		"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)" +
		"&_pragma=cache_size(-2048)&_pragma=trusted_schema(0)&_txlock=immediate" + more
}

// check refuses what is no sound SQLite file, and keeps it.
func (d *sqliteDB) check(ctx context.Context) error {
	info, err := os.Stat(d.path)
	if err != nil {
		return err
	}
	var tables int
	if err := d.writer.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema`).Scan(&tables); err != nil {
		return err
	}
	if tables == 0 || info.Size() > quickCheckLimit {
		return nil
	}
	var said string
	if err := d.writer.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&said); err != nil {
		return err
	}
	if said != "ok" {
		return fmt.Errorf("%w: %s", errCorrupt, said)
	}
	return nil
}

var errCorrupt = errors.New("the file is damaged; it was left as it is: restore a backup to another path, or ask for help with a copy of it")

// lockFile takes PATH.lock for this process, or says who has it.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer func() { _ = f.Close() }()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s.lock: %w", path, err)
		}
		said := make([]byte, 20)
		n, _ := f.ReadAt(said, 0)
		pid, _ := strconv.Atoi(strings.TrimSpace(string(said[:n])))
		return nil, &InUseError{Path: path, PID: pid}
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func (d *sqliteDB) reader() querier { return &d.reading }
func (d *sqliteDB) announce()       {}
func (d *sqliteDB) exclusive() bool { return true }

func (d *sqliteDB) again(error) bool { return false }

func (d *sqliteDB) clean(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	code := e.Code() & 0xff
	if e.Code() == sqlite3.SQLITE_IOERR_SHMSIZE { // no room for the index of the log, which it makes when it opens
		code = sqlite3.SQLITE_FULL
	}
	switch code {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%w (%w)", errCorrupt, err)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("the disk is full, nothing was stored; make room at %s: %w", filepath.Dir(d.path), err)
	case sqlite3.SQLITE_IOERR:
		return fmt.Errorf("the disk failed, nothing was stored; check %s: %w", filepath.Dir(d.path), err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return fmt.Errorf("the file can't be written; check the owner and mode of %s: %w", d.path, err)
	}
	return err
}

func (d *sqliteDB) close() error {
	var errs []error
	if d.readers != nil {
		errs = append(errs, d.readers.Close()) // closes its statements too
	}
	errs = append(errs, d.group.close())
	if d.writer != nil {
		errs = append(errs, d.writer.Close())
	}
	if d.lock != nil {
		if err := d.lock.Close(); !errors.Is(err, os.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
