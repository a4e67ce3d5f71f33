package ledger

import (
	"context"
	"database/sql"
	"sync"
	"sync/atomic"
)

// prepared is a database whose statements are compiled once and kept.
type prepared struct {
	*sql.DB
	stmts sync.Map // query → *sql.Stmt
	n     atomic.Int32
}

// mostPrepared bounds the statements that are kept: a filter has many forms.
const mostPrepared = 200

// stmt is the compiled statement, nil when it is not kept.
func (p *prepared) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := p.stmts.Load(query); ok {
		return s.(*sql.Stmt), nil
	}
	if p.n.Load() >= mostPrepared {
		return nil, nil
	}
	s, err := p.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if have, raced := p.stmts.LoadOrStore(query, s); raced {
		return have.(*sql.Stmt), s.Close()
	}
	p.n.Add(1)
	return s, nil
}

// QueryContext implements querier.
func (p *prepared) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := p.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return p.DB.QueryContext(ctx, query, args...)
	}
	return s.QueryContext(ctx, args...)
}

// QueryRowContext implements querier.
func (p *prepared) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	s, err := p.stmt(ctx, query)
	if err != nil || s == nil {
		return p.DB.QueryRowContext(ctx, query, args...) // gives the same error, at Scan
	}
	return s.QueryRowContext(ctx, args...)
}
