package mail

import (
	"cmp"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// Options are the settings of all mailboxes.
type Options struct {
	Boxes   []Box
	Poll    time.Duration       // longest time between two looks; defaults to 15s
	Dial    time.Duration       // to connect, TLS included; defaults to 15s
	Timeout time.Duration       // of one IMAP operation; defaults to 30s
	Idle    time.Duration       // how long an unused connection is kept; defaults to 30s
	Logger  *slog.Logger        // defaults to no log
	Redact  func(string) string // applied to a server's words; defaults to none
}

// Box is one [mail] section.
type Box struct {
	Match    string   // domain of the addresses it serves; "*" for all that no other names
	URL      string   // imaps://host:993, or imap://host:143, which means STARTTLS
	User     string   // template of the login name with {email}, {user}, {domain}, {username}; defaults to "{email}"
	Password []string // tried in order, with {app_password}, {pass_mail}; those two are the default
	CAFile   string   // PEM file of the certificate authority; the system's when empty
}

// Mailboxes implements core.Mailboxes. It is safe for concurrent use.
type Mailboxes struct {
	o     Options
	boxes map[string]*server // by Match

	mu       sync.Mutex
	sessions map[[32]byte]*session
	closed   bool
}

var _ core.Mailboxes = (*Mailboxes)(nil)

// server is a checked Box.
type server struct {
	Box
	addr, host string
	implicit   bool // TLS from the first byte
	plain      bool // loopback without a CAFile: no TLS
	tls        *tls.Config
}

// New checks the boxes; it connects to nothing. The error names the section.
//
// An imap:// server must offer STARTTLS, unless its host is a loopback address
// or localhost and the box has no CAFile.
func New(o Options) (*Mailboxes, error) {
	o.Poll = cmp.Or(o.Poll, 15*time.Second)
	o.Dial = cmp.Or(o.Dial, 15*time.Second)
	o.Timeout = cmp.Or(o.Timeout, 30*time.Second)
	o.Idle = cmp.Or(o.Idle, 30*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Redact == nil {
		o.Redact = func(s string) string { return s }
	}
	m := &Mailboxes{o: o, boxes: map[string]*server{}, sessions: map[[32]byte]*session{}}
	for _, b := range o.Boxes {
		s, err := check(b)
		if err != nil {
			return nil, fmt.Errorf("[mail.%q] %w", b.Match, err)
		}
		if m.boxes[s.Match] != nil {
			return nil, fmt.Errorf("[mail.%q] stands twice", b.Match)
		}
		m.boxes[s.Match] = s
	}
	return m, nil
}

func check(b Box) (*server, error) {
	b.Match = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(b.Match), "@"))
	if b.Match == "" {
		return nil, errors.New("has no name: write a domain or \"*\"")
	}
	b.User = cmp.Or(b.User, "{email}")
	if len(b.Password) == 0 {
		b.Password = []string{"{app_password}", "{pass_mail}"}
	}
	u, err := url.Parse(b.URL)
	if err != nil || u.Hostname() == "" || u.Scheme != "imap" && u.Scheme != "imaps" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, fmt.Errorf("imap: %.100q is not an address such as imaps://imap.example.org:993", b.URL)
	}
	s := &server{Box: b, host: u.Hostname(), implicit: u.Scheme == "imaps"}
	port := cmp.Or(u.Port(), map[bool]string{true: "993", false: "143"}[s.implicit])
	s.addr = net.JoinHostPort(s.host, port)
	s.tls = &tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12}
	if b.CAFile != "" {
		pem, err := os.ReadFile(b.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		s.tls.RootCAs = x509.NewCertPool()
		if !s.tls.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca: %s has no certificate in PEM", b.CAFile)
		}
	}
	ip := net.ParseIP(s.host)
	s.plain = !s.implicit && b.CAFile == "" && (s.host == "localhost" || ip != nil && ip.IsLoopback())
	for _, f := range field.FindAllString(b.User, -1) {
		if !slices.Contains(userFields, f) {
			return nil, fmt.Errorf("user: the field %s is not known here; known are %s", f, strings.Join(userFields, ", "))
		}
	}
	for _, t := range b.Password {
		// Braces that are no whole template may be part of a password.
		if field.FindString(t) == t && !slices.Contains(passwordFields, t) {
			return nil, fmt.Errorf("password: the field %s is not known here; known are %s", t, strings.Join(passwordFields, ", "))
		}
	}
	return s, nil
}

var (
	field          = regexp.MustCompile(`\{[a-z_]*\}`)
	userFields     = []string{"{email}", "{user}", "{domain}", "{username}"}
	passwordFields = []string{"{app_password}", "{pass_mail}"}
)

// expand fills the known fields of a template; ok is false when one is empty.
func expand(template string, known []string, e core.Entity) (out string, ok bool) {
	ok = true
	out = field.ReplaceAllStringFunc(template, func(f string) string {
		if !slices.Contains(known, f) {
			return f
		}
		var v string
		email := strings.TrimSpace(e.Get(core.FieldEmail).Reveal())
		at := max(strings.LastIndexByte(email, '@'), 0)
		switch name := strings.Trim(f, "{}"); name {
		case "user":
			v = email[:at]
		case "domain":
			v = strings.TrimPrefix(email[at:], "@")
		case core.FieldAppPassword:
			v = strings.Join(strings.Fields(e.Get(name).Reveal()), "")
		default:
			v = e.Get(name).Reveal()
		}
		if v == "" {
			ok = false
		}
		return v
	})
	return out, ok && out != ""
}

// session finds or makes the session of the entity's mailbox and counts a user.
func (m *Mailboxes) session(e core.Entity) (*session, string, error) {
	address := strings.ToLower(strings.TrimSpace(e.Get(core.FieldEmail).Reveal()))
	at := strings.LastIndexByte(address, '@')
	if at < 1 || at == len(address)-1 {
		return nil, "", fmt.Errorf("the task's e-mail %.80q is not an address: %w", address, core.ErrNoMailbox)
	}
	srv := m.boxes[address[at+1:]]
	if srv == nil {
		srv = m.boxes["*"]
	}
	if srv == nil {
		return nil, "", fmt.Errorf("%s: %w; add [mail.%q] or [mail.\"*\"]", address, core.ErrNoMailbox, address[at+1:])
	}
	user, ok := expand(srv.User, userFields, e)
	if !ok {
		return nil, "", fmt.Errorf("[mail.%q] user = %q: the task has no such field", srv.Match, srv.User)
	}
	var passwords []core.Value
	seen := map[string]bool{}
	h := sha256.New()
	fmt.Fprintf(h, "%q %q", srv.Match, user)
	for _, t := range srv.Password {
		if p, ok := expand(t, passwordFields, e); ok && !seen[p] {
			seen[p] = true
			passwords = append(passwords, core.Secret(p))
			fmt.Fprintf(h, " %q", p)
		}
	}
	if len(passwords) == 0 {
		return nil, "", fmt.Errorf("[mail.%q] password: the task carries none of the fields for its mailbox, such as %s", srv.Match, strings.Join(passwordFields, ", "))
	}
	key := [32]byte(h.Sum(nil))
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, "", errors.New("the mailboxes are closed")
	}
	s := m.sessions[key]
	if s == nil {
		s = &session{
			owner: m, key: key, srv: srv, user: user, passwords: passwords,
			turn: make(chan struct{}, 1), log: m.o.Logger.With("mailbox", user, "server", srv.addr),
		}
		m.sessions[key] = s
	}
	s.users++
	if s.idle != nil {
		s.idle.Stop()
		s.idle = nil
	}
	return s, address, nil
}

// release ends one use; the last one starts the idle time.
func (m *Mailboxes) release(s *session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.users--
	if s.users > 0 {
		return
	}
	if m.closed {
		s.drop()
		return
	}
	s.idle = time.AfterFunc(m.o.Idle, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if s.users == 0 && m.sessions[s.key] == s {
			delete(m.sessions, s.key)
			s.drop()
		}
	})
}

// Close ends every connection that nobody uses; those in use end with their context.
func (m *Mailboxes) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	for _, s := range m.sessions {
		if s.users == 0 {
			if s.idle != nil {
				s.idle.Stop()
			}
			s.drop()
		}
	}
	clear(m.sessions)
	return nil
}
