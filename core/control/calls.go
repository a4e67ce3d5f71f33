package control

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/rollcall-run/rollcall/core"
)

type caller func(ctx context.Context, s *server, body []byte, send func(any) error) error

// calls are the methods of core.Admin by their names in the address.
var calls = map[string]caller{
	"Hello": with(func(_ context.Context, s *server, _ noRequest, send func(any) error) error {
		return send(hello{PID: os.Getpid(), Version: s.version, Goroutines: runtime.NumGoroutine()})
	}),
	"Tasks": with(func(ctx context.Context, s *server, q core.TaskFilter, send func(any) error) error {
		all, err := s.admin.Tasks(ctx, q)
		return each(all, err, func(r core.Record) error { return send(recordOf(r)) })
	}),
	"Task": with(func(ctx context.Context, s *server, q taskRequest, send func(any) error) error {
		r, err := s.admin.Task(ctx, q.ID)
		if err != nil {
			return err
		}
		return send(recordOf(r))
	}),
	"Events": with(func(ctx context.Context, s *server, q taskRequest, send func(any) error) error {
		all, err := s.admin.Events(ctx, q.ID)
		return each(all, err, func(e core.Event) error { return send(e) })
	}),
	"Resolve": with(func(ctx context.Context, s *server, q resolveRequest, _ func(any) error) error {
		return s.admin.Resolve(ctx, q.ID, q.Verdict, q.By)
	}),
	"Retry": with(func(ctx context.Context, s *server, q retryRequest, _ func(any) error) error {
		return s.admin.Retry(ctx, q.ID, q.By)
	}),
	"Sites": with(func(ctx context.Context, s *server, _ noRequest, send func(any) error) error {
		all, err := s.admin.Sites(ctx)
		return each(all, err, func(x core.SiteStatus) error { return send(x) })
	}),
	"PauseSite": with(func(ctx context.Context, s *server, q siteRequest, _ func(any) error) error {
		return s.admin.PauseSite(ctx, q.Domain, q.Why)
	}),
	"ResumeSite": with(func(ctx context.Context, s *server, q siteRequest, _ func(any) error) error {
		return s.admin.ResumeSite(ctx, q.Domain)
	}),
	"Asks": with(func(ctx context.Context, s *server, q asksRequest, send func(any) error) error {
		all, err := s.admin.Asks(ctx, q.All)
		return each(all, err, func(x core.AskRow) error { return send(x) })
	}),
	"AnswerAsk": with(func(ctx context.Context, s *server, q answerRequest, _ func(any) error) error {
		return s.admin.AnswerAsk(ctx, q.ID, q.Text, q.By)
	}),
	"Accounts": with(func(ctx context.Context, s *server, q accountRequest, send func(any) error) error {
		cross := masked
		if q.Reveal {
			cross = revealed
		}
		return s.admin.Accounts(ctx, func(a core.Account) error { return send(accountOf(a, cross)) })
	}),
	"Summary": with(func(ctx context.Context, s *server, _ noRequest, send func(any) error) error {
		all, err := s.admin.Summary(ctx)
		return each(all, err, func(x core.SiteCount) error { return send(x) })
	}),
	"Backup": with(func(ctx context.Context, s *server, q backupRequest, _ func(any) error) error {
		if !filepath.IsAbs(q.Path) {
			return errors.New("the path of a backup must be absolute: the runner has another working directory")
		}
		return s.admin.Backup(ctx, q.Path)
	}),
}

// with decodes the request of a call.
func with[Q any](f func(context.Context, *server, Q, func(any) error) error) caller {
	return func(ctx context.Context, s *server, body []byte, send func(any) error) error {
		var q Q
		if err := decode(body, &q); err != nil {
			return fmt.Errorf("the request can't be read; use the same rollcall for both: %w", err)
		}
		return f(ctx, s, q, send)
	}
}

func each[T any](all []T, err error, f func(T) error) error {
	if err != nil {
		return err
	}
	for _, x := range all {
		if err := f(x); err != nil {
			return err
		}
	}
	return nil
}
