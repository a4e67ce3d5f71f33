package runner

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/rollcall-run/rollcall/core"
)

var (
	_ core.CookieKeeper = (*services)(nil)
	_ core.AssetReader  = (*services)(nil)
)

const (
	maxCookies = 1000
	maxAsset   = 8 << 20 // bytes; what crosses a process border is bounded
)

// Cookies implements core.CookieKeeper, for phases without a browser.
func (s *services) Cookies(ctx context.Context) ([]core.Cookie, error) {
	_, done, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if !s.plain() {
		return nil, s.noCookies()
	}
	return s.v.getCookies(), nil
}

// KeepCookies implements core.CookieKeeper, for phases without a browser.
func (s *services) KeepCookies(ctx context.Context, all []core.Cookie) error {
	_, done, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer done()
	if !s.plain() || len(all) > maxCookies {
		return s.noCookies()
	}
	s.v.setCookies(slices.Clone(all))
	return nil
}

func (s *services) noCookies() error {
	return &core.Fault{Code: core.DriverError, Phase: s.phase, Why: "the cookies of this phase are the browser's, or too many"}
}

// ReadAsset implements core.AssetReader: a worker runs under a user of its own
// and can't read the runner's files.
func (s *services) ReadAsset(ctx context.Context, name string, fit core.Fit) (string, []byte, error) {
	if !s.plain() {
		return "", nil, &core.Fault{Code: core.DriverError, Phase: s.phase, Verb: "upload", Why: "in this phase the browser reads the images"}
	}
	path, err := s.Asset(ctx, name, fit)
	if err != nil {
		return "", nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return "", nil, fmt.Errorf("read the fitted image: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxAsset+1))
	if err != nil {
		return "", nil, fmt.Errorf("read the fitted image: %w", err)
	}
	if len(data) > maxAsset {
		return "", nil, &core.Fault{Code: core.DriverError, Phase: s.phase, Verb: "upload",
			Why: fmt.Sprintf("the image is larger than the %d MB that can be sent without a browser: set fit.max_kb in the limits", maxAsset>>20)}
	}
	return filepath.Base(path), data, nil
}
