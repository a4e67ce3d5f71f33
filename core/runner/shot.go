package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// maxShots is how many pictures of a phase are kept.
const maxShots = 20

// Shot implements core.Services.
func (s *services) Shot(ctx context.Context, label string) error {
	ctx, done, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer done()
	s.mu.Lock()
	s.shots++
	n := s.shots
	s.mu.Unlock()
	if n > maxShots {
		return nil
	}
	path, err := s.v.shoot(ctx, string(s.phase)+"-"+label)
	if err != nil {
		return err
	}
	return s.v.note(nil, core.Event{Kind: "shot", Phase: s.phase, Text: label, Attrs: map[string]string{"path": path}})
}

// shoot keeps a picture of the open page and returns its path.
func (v *visit) shoot(ctx context.Context, label string) (string, error) {
	if v.bc == nil {
		return "", errors.New("there is no open page to take a picture of")
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	secrets := append(v.record().Entity.Secrets(), v.password())
	png, err := v.bc.Shot(ctx, secrets...)
	if err != nil {
		return "", fmt.Errorf("take a picture: %w", err)
	}
	dir, err := v.pictures()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, fmt.Sprintf("%s-%s.png", time.Now().UTC().Format("20060102T150405.000"), safeName(label)))
	if err := os.WriteFile(path, png, 0o600); err != nil {
		return "", fmt.Errorf("keep a picture: %w", err)
	}
	return path, nil
}

// picture adds a picture of the open page to an ask; an ask without one still stands.
func (v *visit) picture(askID string) {
	if v.bc == nil {
		return
	}
	path, err := v.shoot(v.ctx, "ask")
	if err == nil {
		ctx, cancel := v.ledger()
		defer cancel()
		err = v.r.o.Store.SetShot(ctx, v.record().Lease, askID, path)
	}
	if err != nil {
		v.log.Warn("the question has no picture", "err", err)
	}
}
