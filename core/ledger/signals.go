package ledger

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// channel is the PostgreSQL channel of changes.
const channel = "rollcall_changed"

// listening is logged whenever changes of others begin to be heard.
const listening = "the ledger listens for changes by other runners"

// The bounds of the wait between two attempts to connect.
const (
	shortestRetry = 100 * time.Millisecond
	longestRetry  = 5 * time.Second
)

// signals tells other processes of changes and hears of theirs. It is a hint
// that saves waiting, no more: a lost one is made good by the next due time or sweep.
type signals struct {
	self   string // tells our own notifications from others'
	log    *slog.Logger
	heard  func()
	ask    chan struct{} // holds a token while an announcement is wanted
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func startSignals(cfg *pgx.ConnConfig, log *slog.Logger, heard func()) *signals {
	ctx, cancel := context.WithCancel(context.Background())
	s := &signals{self: rand.Text(), log: log, heard: heard, ask: make(chan struct{}, 1), cancel: cancel}
	loose := cfg.Copy()
	loose.RuntimeParams["synchronous_commit"] = "off" // a notification stores nothing
	s.done.Go(func() { s.keep(ctx, loose, "listen for changes", s.listen) })
	s.done.Go(func() { s.keep(ctx, loose, "announce changes", s.tell) })
	return s
}

func (s *signals) announce() {
	select {
	case s.ask <- struct{}{}:
	default: // one is on its way
	}
}

func (s *signals) close() {
	s.cancel()
	s.done.Wait()
}

// keep runs work on a connection of its own, and connects again when it fails.
func (s *signals) keep(ctx context.Context, cfg *pgx.ConnConfig, what string, work func(context.Context, *pgx.Conn) error) {
	wait := shortestRetry
	for ctx.Err() == nil {
		conn, err := pgx.ConnectConfig(ctx, cfg)
		if err == nil {
			wait = shortestRetry
			err = work(ctx, conn)
			closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			_ = conn.Close(closing)
			cancel()
		}
		if ctx.Err() != nil {
			return
		}
		s.log.Warn("the ledger's connection failed, trying again", "what", what, "error", err, "wait", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		wait = min(2*wait, longestRetry)
	}
}

func (s *signals) listen(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Exec(ctx, `LISTEN `+channel); err != nil {
		return err
	}
	s.heard() // whatever happened before this connection was not heard
	s.log.Debug(listening)
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		if n.Payload != s.self {
			s.heard()
		}
	}
}

func (s *signals) tell(ctx context.Context, conn *pgx.Conn) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.ask:
		}
		if _, err := conn.Exec(ctx, `SELECT pg_notify($1, $2)`, channel, s.self); err != nil {
			s.announce() // said again on the next connection
			return err
		}
	}
}
