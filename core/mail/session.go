package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-message/charset"

	"github.com/rollcall-run/rollcall/core"
)

// LoginError says that the server took none of the mailbox's passwords. It
// carries no password.
type LoginError struct {
	Server, User string
	Section      string // the [mail] section
	Tried        int    // passwords
	Said         string // the server's words
}

func (e *LoginError) Error() string {
	return fmt.Sprintf("mail server %s refused %s with each of %d passwords ([mail.%q] password): %s", e.Server, e.User, e.Tried, e.Section, e.Said)
}

func newTLS(c net.Conn, s *server) *tls.Conn {
	cfg := s.tls.Clone()
	cfg.NextProtos = []string{"imap"}
	return tls.Client(c, cfg)
}

// session is one mailbox's connection. Whoever holds turn uses it.
type session struct {
	owner     *Mailboxes
	key       [32]byte
	srv       *server
	user      string
	passwords []core.Value
	log       *slog.Logger

	users int         // under owner.mu
	idle  *time.Timer // under owner.mu

	turn   chan struct{}
	g      *guard
	c      *imapclient.Client
	open   string // folder that is selected
	junk   string // name of the junk folder, "" when there is none
	looked time.Time
	state  [2]folderState // inbox and junk, as of looked
}

// folderState is what EXAMINE says; the zero one is of no folder.
type folderState struct{ validity, next uint32 }

const (
	inbox = 0
	junk  = 1
)

// enter waits for the turn; leave ends it.
func (s *session) enter(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *session) leave() { <-s.turn }

// drop closes the connection. The caller has the turn, or is the only one left.
func (s *session) drop() {
	if s.c != nil {
		s.g.Conn.Close()
		s.c.Close()
	}
	s.g, s.c, s.open, s.junk, s.looked = nil, nil, "", "", time.Time{}
}

// op runs an operation on the connection and drops it unless the error is the
// server's own clear answer.
func (s *session) op(ctx context.Context, what string, f func(*imapclient.Client) error) error {
	err := s.g.do(ctx, s.owner.o.Timeout, func() error { return f(s.c) })
	if err == nil {
		return nil
	}
	var no *imap.Error
	if !errors.As(err, &no) || no.Type != imap.StatusResponseTypeNo {
		s.drop()
	}
	return fmt.Errorf("mail server %s: %s: %w", s.srv.addr, what, s.clean(err))
}

// clean takes passwords out of a server's words.
func (s *session) clean(err error) error {
	text := err.Error()
	for _, p := range s.passwords {
		if strings.Contains(text, p.Reveal()) {
			return errors.New("the server's answer repeats the password and is not shown")
		}
	}
	if red := s.owner.o.Redact(text); red != text {
		return errors.New(red)
	}
	return err
}

// ensure connects and logs in when there is no connection.
func (s *session) ensure(ctx context.Context) error {
	if s.c != nil {
		select {
		case <-s.c.Closed():
			s.drop()
		default:
			return nil
		}
	}
	options := &imapclient.Options{WordDecoder: &mime.WordDecoder{CharsetReader: charset.Reader}}
	said := ""
	for _, password := range s.passwords {
		if s.c == nil {
			g, c, err := s.srv.connect(ctx, s.owner.o.Dial, options)
			if err != nil {
				return err
			}
			s.g, s.c = g, c
		}
		err := s.op(ctx, "login", func(c *imapclient.Client) error { return c.Login(s.user, password.Reveal()).Wait() })
		if err == nil {
			s.log.Debug("logged in to the mailbox")
			return nil
		}
		var no *imap.Error
		if !errors.As(err, &no) {
			return err
		}
		if no.Code == imap.ResponseCodeUnavailable || no.Code == imap.ResponseCodeServerBug || no.Code == imap.ResponseCodeInUse || no.Code == imap.ResponseCodeLimit {
			s.drop()
			return err // not about the password
		}
		said = no.Text
	}
	s.drop()
	return &LoginError{Server: s.srv.addr, User: s.user, Section: s.srv.Match, Tried: len(s.passwords), Said: said}
}

// look reads where the folders end, unless it was done within age.
func (s *session) look(ctx context.Context, age time.Duration) error {
	if s.c != nil && !s.looked.IsZero() && time.Since(s.looked) < age {
		return nil
	}
	if err := s.ensure(ctx); err != nil {
		return err
	}
	s.looked = time.Time{}
	if s.junk == "" {
		if err := s.findJunk(ctx); err != nil {
			return err
		}
	}
	var state [2]folderState
	for i, name := range []string{"INBOX", s.junk} {
		if name == "" {
			continue
		}
		st, err := s.examine(ctx, name)
		if err != nil {
			if i == junk && s.c != nil { // removed meanwhile
				s.junk = ""
				continue
			}
			return err
		}
		state[i] = st
	}
	s.state, s.looked = state, time.Now()
	return nil
}

func (s *session) findJunk(ctx context.Context) error {
	var list []*imap.ListData
	err := s.op(ctx, "list folders", func(c *imapclient.Client) error {
		var o *imap.ListOptions
		if caps := c.Caps(); caps.Has(imap.CapSpecialUse) && caps.Has(imap.CapListExtended) {
			o = &imap.ListOptions{ReturnSpecialUse: true}
		}
		var err error
		list, err = c.List("", "*", o).Collect()
		return err
	})
	if err != nil {
		return err
	}
	named := ""
	for _, l := range list {
		selectable := true
		for _, a := range l.Attrs {
			switch a {
			case imap.MailboxAttrJunk:
				s.junk = l.Mailbox
			case imap.MailboxAttrNoSelect, imap.MailboxAttrNonExistent:
				selectable = false
			}
		}
		switch strings.ToLower(l.Mailbox) {
		case "junk", "spam", "junk e-mail", "junk email", "bulk mail", "inbox.junk", "inbox.spam":
			if selectable {
				named = l.Mailbox
			}
		}
	}
	if s.junk == "" {
		s.junk = named
	}
	return nil
}

// examine opens a folder read-only.
func (s *session) examine(ctx context.Context, name string) (folderState, error) {
	var st folderState
	s.open = ""
	err := s.op(ctx, "open "+name, func(c *imapclient.Client) error {
		d, err := c.Select(name, &imap.SelectOptions{ReadOnly: true}).Wait()
		if err != nil {
			return err
		}
		st = folderState{d.UIDValidity, uint32(d.UIDNext)}
		if st.next == 0 {
			// Old servers leave it out of the answer.
			r, err := c.Status(name, &imap.StatusOptions{UIDNext: true, UIDValidity: true}).Wait()
			if err != nil {
				return err
			}
			st = folderState{r.UIDValidity, uint32(r.UIDNext)}
		}
		return nil
	})
	if err != nil {
		return st, err
	}
	if st.validity == 0 || st.next == 0 {
		return st, fmt.Errorf("mail server %s gives no UIDs for %s: it can't be used", s.srv.addr, name)
	}
	s.open = name
	return st, nil
}

// name is the folder's.
func (s *session) name(folder int) string {
	if folder == junk {
		return s.junk
	}
	return "INBOX"
}

// since lists the UIDs of messages that arrived at or after t, at most the
// newest maxHeads of them.
func (s *session) since(ctx context.Context, folder int, t time.Time) ([]imap.UID, error) {
	if err := s.need(ctx, folder); err != nil {
		return nil, err
	}
	var uids []imap.UID
	err := s.op(ctx, "search", func(c *imapclient.Client) error {
		// SINCE knows days only, in the server's zone.
		d, err := c.UIDSearch(&imap.SearchCriteria{Since: t.Add(-24 * time.Hour)}, nil).Wait()
		if err != nil {
			return err
		}
		uids = d.AllUIDs()
		return nil
	})
	return uids[max(0, len(uids)-maxHeads):], err
}

func (s *session) need(ctx context.Context, folder int) error {
	if name := s.name(folder); s.open != name {
		_, err := s.examine(ctx, name)
		return err
	}
	return nil
}

// Limits of what is read of a mailbox.
const (
	maxHeads = 500     // headers at one look
	maxBody  = 1 << 20 // bytes of one message
)

var (
	headSection = &imap.FetchItemBodySection{Specifier: imap.PartSpecifierHeader, Peek: true, Partial: &imap.SectionPartial{Size: 64 << 10},
		HeaderFields: []string{"From", "To", "Cc", "Subject", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To"}}
	bodySection = &imap.FetchItemBodySection{Peek: true, Partial: &imap.SectionPartial{Size: maxBody}}
)

// head is a message's header as it stands on the server.
type head struct {
	uid     imap.UID
	arrived time.Time
	raw     []byte
}

func (s *session) heads(ctx context.Context, folder int, set imap.UIDSet) ([]head, error) {
	if err := s.need(ctx, folder); err != nil {
		return nil, err
	}
	var out []head
	err := s.op(ctx, "read headers", func(c *imapclient.Client) error {
		got, err := c.Fetch(set, &imap.FetchOptions{UID: true, InternalDate: true, BodySection: []*imap.FetchItemBodySection{headSection}}).Collect()
		for _, m := range got {
			out = append(out, head{m.UID, m.InternalDate, m.FindBodySection(headSection)})
		}
		return err
	})
	return out, err
}

// body reads a message, at most maxBody of it.
func (s *session) body(ctx context.Context, folder int, uid imap.UID) ([]byte, error) {
	if err := s.need(ctx, folder); err != nil {
		return nil, err
	}
	var out []byte
	err := s.op(ctx, "read a message", func(c *imapclient.Client) error {
		got, err := c.Fetch(imap.UIDSetNum(uid), &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{bodySection}}).Collect()
		for _, m := range got {
			if m.UID == uid {
				out = m.FindBodySection(bodySection)
			}
		}
		return err
	})
	return out, err
}
