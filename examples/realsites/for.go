package realsites

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core/mail/mailtest"
)

// Sites starts the sites of one test; all end with it.
type Sites struct {
	Mail *mailtest.Server // takes the mail of every site; each address has a mailbox

	t   testing.TB
	dir string
}

// For prepares a directory and a mail server for the sites of a test.
func For(t testing.TB) *Sites {
	t.Helper()
	dir, err := os.MkdirTemp("", "sites-") // t.TempDir is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return &Sites{Mail: mailtest.Dovecot(t), t: t, dir: dir}
}

// DokuWiki starts one.
func (s *Sites) DokuWiki(o Options) *Site { s.t.Helper(); return s.start(StartDokuWiki, o) }

// MediaWiki starts one.
func (s *Sites) MediaWiki(o Options) *Site { s.t.Helper(); return s.start(StartMediaWiki, o) }

// WordPress starts one.
func (s *Sites) WordPress(o Options) *Site { s.t.Helper(); return s.start(StartWordPress, o) }

func (s *Sites) start(f func(context.Context, string, Options) (*Site, error), o Options) *Site {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	if o.Mail == "" {
		o.Mail = s.Mail.LMTP
	}
	site, err := f(ctx, s.dir, o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if s.t.Failed() {
			s.t.Logf("%s:\n%s", site.Name, site.Log())
		}
		if err := site.Stop(); err != nil {
			s.t.Error(err)
		}
	})
	return site
}
