package ledger

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"strings"
	"sync"
)

// group runs the write transactions of a SQLite file. The ones that wait while
// one is written to disk are written together, with one fsync. When one of them
// fails after it has changed something, all are rolled back and each is run alone,
// so that a failure touches nobody else.
type group struct {
	conn    *sql.Conn
	stmts   map[string]*sql.Stmt
	turn    chan struct{} // holds a token while somebody writes
	mu      sync.Mutex
	waiting []*job
	wrote   bool // the job that runs has changed something, or tried to
}

// job is a transaction that waits to be run.
type job struct {
	run  func(context.Context, writer) error
	err  error
	done chan struct{} // closed when err is final
}

// groupSize bounds how many transactions share one fsync.
const groupSize = 64

var errClosed = errors.New("the ledger is closed")

func newGroup(conn *sql.Conn) group {
	return group{conn: conn, stmts: map[string]*sql.Stmt{}, turn: make(chan struct{}, 1)}
}

func (d *sqliteDB) transact(ctx context.Context, f func(context.Context, writer) error) error {
	g := &d.group
	j := &job{run: f, done: make(chan struct{})}
	g.mu.Lock()
	g.waiting = append(g.waiting, j)
	g.mu.Unlock()
	select {
	case <-j.done: // somebody ran it together with his own
		return j.err
	case <-ctx.Done():
		if g.withdraw(j) {
			return ctx.Err()
		}
		<-j.done
		return j.err
	case g.turn <- struct{}{}:
	}
	defer func() { <-g.turn }()
	for {
		select {
		case <-j.done:
			return j.err
		default:
			runtime.Gosched() // whoever the last ones let go on may have more to write
			g.together(g.take())
		}
	}
}

// withdraw takes a job back unless somebody is running it already.
func (g *group) withdraw(j *job) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, w := range g.waiting {
		if w == j {
			g.waiting = append(g.waiting[:i], g.waiting[i+1:]...)
			return true
		}
	}
	return false
}

func (g *group) take() []*job {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := min(len(g.waiting), groupSize)
	jobs := append([]*job(nil), g.waiting[:n]...)
	g.waiting = append(g.waiting[:0], g.waiting[n:]...)
	return jobs
}

// together runs jobs in one transaction. When that fails as a whole, nothing of
// it is stored, and each is run alone.
func (g *group) together(jobs []*job) {
	defer func() {
		for _, j := range jobs {
			close(j.done)
		}
	}()
	if len(jobs) > 1 && g.shared(jobs) == nil {
		return
	}
	for _, j := range jobs {
		j.err = g.alone(j)
	}
}

func (g *group) alone(j *job) error {
	ctx := context.Background()
	if g.conn == nil {
		return errClosed
	}
	if err := g.do("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := j.run(ctx, groupWriter{overSQL{g}, g})
	if err == nil {
		err = g.do("COMMIT")
	}
	if err != nil {
		// A failure that ended the transaction by itself leaves nothing to roll back.
		_ = g.do("ROLLBACK")
	}
	return err
}

func (g *group) shared(jobs []*job) (err error) {
	ctx := context.Background()
	if g.conn == nil {
		return errClosed
	}
	if err := g.do("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = g.do("ROLLBACK")
		}
	}()
	for _, j := range jobs {
		g.wrote = false
		if j.err = j.run(ctx, groupWriter{overSQL{g}, g}); j.err != nil && g.wrote {
			return j.err
		}
	}
	return g.do("COMMIT")
}

func (g *group) close() error {
	if g.conn == nil {
		return nil
	}
	g.turn <- struct{}{} // waits for the last transaction; later ones find no connection
	defer func() { <-g.turn }()
	for _, s := range g.stmts {
		_ = s.Close()
	}
	err := g.conn.Close()
	g.conn = nil
	if errors.Is(err, sql.ErrConnDone) {
		return nil
	}
	return err
}

func (g *group) do(statement string) error {
	_, err := g.ExecContext(context.Background(), statement)
	return err
}

func (g *group) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := g.stmts[query]; ok {
		return s, nil
	}
	s, err := g.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	g.stmts[query] = s
	return s, nil
}

// groupWriter runs the statements of one job. Within one process nothing is won by
// putting off or by asking for two rows together.
type groupWriter struct {
	overSQL
	g *group
}

func (w groupWriter) later(ctx context.Context, query string, args ...any) error {
	_, err := w.g.ExecContext(ctx, query, args...)
	return err
}

func (groupWriter) expect(string, ...any) {}

// ExecContext implements querier.
func (g *group) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	g.wrote = true
	s, err := g.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(ctx, args...)
}

// QueryContext implements querier.
func (g *group) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := g.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

// QueryRowContext implements querier. A row may be the answer of an INSERT.
func (g *group) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	g.wrote = g.wrote || !strings.HasPrefix(query, "SELECT")
	s, err := g.stmt(ctx, query)
	if err != nil {
		return g.conn.QueryRowContext(ctx, query, args...) // gives the same error, at Scan
	}
	return s.QueryRowContext(ctx, args...)
}
