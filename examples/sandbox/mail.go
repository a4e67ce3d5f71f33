package sandbox

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
)

// Mail is the mailbox of everyone: an IMAP server without TLS. Every address is
// a user, and all have the one password.
type Mail struct {
	URL      string // imap://127.0.0.1:PORT
	Addr     string // 127.0.0.1:PORT
	Password string

	clock    Clock
	logger   *slog.Logger
	server   *imapserver.Server
	listener *countingListener
	sig      signal
	served   chan struct{}

	mu       sync.Mutex
	users    map[string]*imapmemserver.User
	messages []Message
}

// Message is a mail that was delivered.
type Message struct {
	At                time.Time
	To, From, Subject string
	HTML, Text        string
	Raw               []byte // as it is in the mailbox
}

func startMail(o Options) (*Mail, error) {
	ln, err := listenLoopback(o.Addrs.Mail)
	if err != nil {
		return nil, err
	}
	m := &Mail{
		Addr: ln.Addr().String(), URL: "imap://" + ln.Addr().String(), Password: o.MailPassword, clock: o.Clock, logger: o.Logger,
		listener: &countingListener{Listener: ln}, users: map[string]*imapmemserver.User{}, served: make(chan struct{}),
	}
	m.server = imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return &mailSession{mail: m}, nil, nil
		},
		Caps:         imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapIMAP4rev2: {}},
		InsecureAuth: true,
		Logger:       imapLog{o.Logger},
	})
	go func() {
		defer close(m.served)
		if err := m.server.Serve(m.listener); err != nil && !errors.Is(err, net.ErrClosed) {
			o.Logger.Debug("imap", "err", err)
		}
	}()
	return m, nil
}

// Deliver puts a mail into the mailbox of to. The HTML part, the text part or
// both may be given; both are sent quoted-printable in UTF-8.
func (m *Mail) Deliver(to, from, subject, html, text string) error {
	at := m.clock.Now()
	raw, err := compose(at, to, from, subject, html, text)
	if err != nil {
		return fmt.Errorf("deliver mail to %s: %w", to, err)
	}
	m.mu.Lock()
	user := m.userLocked(to)
	_, err = user.Append("INBOX", literal{bytes.NewReader(raw)}, &imap.AppendOptions{Time: at})
	if err == nil {
		m.messages = append(m.messages, Message{At: at, To: to, From: from, Subject: subject, HTML: html, Text: text, Raw: raw})
	}
	m.mu.Unlock()
	if err != nil {
		return fmt.Errorf("deliver mail to %s: %w", to, err)
	}
	m.sig.changed()
	return nil
}

// Messages returns what was delivered to the address, to everyone when it is empty.
func (m *Mail) Messages(to string) []Message {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Message
	for _, msg := range m.messages {
		if to == "" || strings.EqualFold(to, msg.To) {
			out = append(out, msg)
		}
	}
	return out
}

// Wait returns the messages to the address once there are n of them.
func (m *Mail) Wait(ctx context.Context, to string, n int) ([]Message, error) {
	var got []Message
	err := m.sig.wait(ctx, func() bool {
		got = m.Messages(to)
		return len(got) >= n
	})
	if err != nil {
		return got, fmt.Errorf("waiting for mail %d to %s, which has %d: %w", n, to, len(got), err)
	}
	return got, nil
}

// userLocked returns the user of an address, made when first asked for. m.mu is held.
func (m *Mail) userLocked(address string) *imapmemserver.User {
	address = strings.ToLower(address)
	u := m.users[address]
	if u == nil {
		u = imapmemserver.NewUser(address, m.Password)
		u.Create("INBOX", nil)
		m.users[address] = u
	}
	return u
}

func (m *Mail) close() error {
	err := m.server.Close()
	<-m.served
	m.listener.wait()
	return err
}

// mailSession is one connection; it has a user after Login.
type mailSession struct {
	*imapmemserver.UserSession
	mail *Mail
}

var _ imapserver.SessionIMAP4rev2 = (*mailSession)(nil)

func (s *mailSession) Login(username, password string) error {
	if !strings.Contains(username, "@") || subtle.ConstantTimeCompare([]byte(password), []byte(s.mail.Password)) != 1 {
		return imapserver.ErrAuthFailed
	}
	s.mail.mu.Lock()
	u := s.mail.userLocked(username)
	s.mail.mu.Unlock()
	s.UserSession = imapmemserver.NewUserSession(u)
	return nil
}

func (s *mailSession) Close() error { return s.UserSession.Close() }

type literal struct{ *bytes.Reader }

func (l literal) Size() int64 { return l.Reader.Size() }

var _ imap.LiteralReader = literal{}
var _ io.Reader = literal{}

type imapLog struct{ logger *slog.Logger }

func (l imapLog) Printf(format string, args ...any) {
	l.logger.Debug("imap", "msg", fmt.Sprintf(format, args...))
}

// countingListener knows which of its connections are open.
type countingListener struct {
	net.Listener
	mu   sync.Mutex
	open []*countedConn
	none *sync.Cond
}

type countedConn struct {
	net.Conn
	once sync.Once
	l    *countingListener
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	counted := &countedConn{Conn: c, l: l}
	l.mu.Lock()
	l.open = append(l.open, counted)
	l.mu.Unlock()
	return counted, nil
}

func (c *countedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.l.mu.Lock()
		c.l.open = slices.DeleteFunc(c.l.open, func(o *countedConn) bool { return o == c })
		if len(c.l.open) == 0 && c.l.none != nil {
			c.l.none.Broadcast()
		}
		c.l.mu.Unlock()
	})
	return err
}

// wait returns when every connection is closed.
func (l *countingListener) wait() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.none == nil {
		l.none = sync.NewCond(&l.mu)
	}
	for len(l.open) > 0 {
		l.none.Wait()
	}
}
