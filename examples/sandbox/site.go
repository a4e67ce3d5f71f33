package sandbox

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"html/template"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Site is one of the sandbox's sites, with everything that happened on it.
type Site struct {
	Name   string // board, community, wizard or guarded
	Domain string // as tasks name it
	URL    string // where it really is
	TLSURL string // the same site over TLS and h2; empty unless asked for

	roots    *x509.CertPool
	clock    Clock
	options  Options
	tokens   *tokens
	pages    *template.Template
	sig      signal
	announce func(made Account, base string) // Community: sends the link; base is where the site was visited

	mu       sync.Mutex
	accounts []*Account
	byName   map[string]*Account // by username and by e-mail, lower case
	submits  []Submit
	sessions map[string]*session
	onCommit func(Submit) CommitFault
	stops    []func() bool
	words    map[string]string // Guarded: what a picture says, by picture; Community: whom a link confirms, by its token
	lastWord string
	uploads  map[string]image // Wizard: pictures that no account has yet
}

// Account is what the site knows of a member.
type Account struct {
	Username, Email, Password string
	Name                      string // as shown; the username where a site does not ask for one
	Confirmed                 bool
	Created                   time.Time
	Profile                   map[string]string // by field: bio, website, location, signature, …
	Links                     []string          // on sites that keep a list of them
	Avatar                    []byte
	AvatarType                string
	Saves                     int // how often the profile was written
}

// Submit is one POST of the sign-up form as it arrived.
type Submit struct {
	N       int // from 1
	At      time.Time
	Path    string
	Header  http.Header
	Body    []byte // what arrived of it
	Proto   string // HTTP/1.1 or HTTP/2.0
	Conn    int64  // the connection it came over
	Reused  bool   // the connection had served a request before
	Fault   CommitKind
	Account string // the username of the account that was made at once, empty when none was
}

type session struct {
	id, csrf string
	member   *Account
	human    bool   // Guarded: has answered the challenge
	picture  string // Guarded: the picture that was shown last
}

// ErrNoAccount is returned for a member that a site does not have.
var ErrNoAccount = errors.New("the site has no such account")

// RootCA trusts the certificate of TLSURL; nil when the site has none.
func (s *Site) RootCA() *x509.CertPool { return s.roots }

// Accounts returns copies of the accounts, in the order in which they were made.
func (s *Site) Accounts() []Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Account, len(s.accounts))
	for i, a := range s.accounts {
		out[i] = a.clone()
	}
	return out
}

// Account returns the account with the username or e-mail.
func (s *Site) Account(name string) (Account, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.findLocked(name); a != nil {
		return a.clone(), true
	}
	return Account{}, false
}

func (a *Account) clone() Account {
	c := *a
	c.Profile, c.Links = maps.Clone(a.Profile), slices.Clone(a.Links)
	return c
}

// AddAccount makes an account that was there before.
func (s *Site) AddAccount(a Account) {
	s.mu.Lock()
	s.createLocked(a)
	s.mu.Unlock()
	s.sig.changed()
}

// Submits returns every POST of the sign-up form that arrived, oldest first.
func (s *Site) Submits() []Submit {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.submits)
}

// Wait returns nil once ok holds. ok is asked at the start and after every
// change; it may use every method of the site.
func (s *Site) Wait(ctx context.Context, ok func(*Site) bool) error {
	if err := s.sig.wait(ctx, func() bool { return ok(s) }); err != nil {
		return fmt.Errorf("waiting for %s: %w", s.Name, err)
	}
	return nil
}

// findLocked finds a member by username or e-mail, in any case. s.mu is held.
func (s *Site) findLocked(name string) *Account {
	if name == "" {
		return nil
	}
	return s.byName[strings.ToLower(name)]
}

func (s *Site) createLocked(a Account) *Account {
	a.Created = s.clock.Now()
	if a.Profile == nil {
		a.Profile = map[string]string{}
	}
	if a.Name == "" {
		a.Name = a.Username
	}
	made := &a
	s.accounts = append(s.accounts, made)
	s.byName[strings.ToLower(a.Username)], s.byName[strings.ToLower(a.Email)] = made, made
	return made
}

// change edits the account of the session under the lock.
func (s *Site) change(f func()) {
	s.mu.Lock()
	f()
	s.mu.Unlock()
	s.sig.changed()
}

// session finds or begins the session of a request and sets its cookie.
func (s *Site) session(w http.ResponseWriter, r *http.Request) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, err := r.Cookie(s.cookie()); err == nil {
		if have := s.sessions[c.Value]; have != nil {
			return have
		}
	}
	return s.beginLocked(w, r, nil)
}

// signIn gives the member a session of its own.
func (s *Site) signIn(w http.ResponseWriter, r *http.Request, a *Account) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.beginLocked(w, r, a)
}

func (s *Site) beginLocked(w http.ResponseWriter, r *http.Request, a *Account) *session {
	made := &session{id: s.tokens.next(), csrf: s.tokens.next(), member: a}
	s.sessions[made.id] = made
	http.SetCookie(w, &http.Cookie{Name: s.cookie(), Value: made.id, Path: "/", HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode})
	return made
}

func (s *Site) cookie() string { return s.Name + "_session" }

// member is who is signed in; the account is read under s.mu.
func (s *Site) member(ss *session) *Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	return ss.member
}

// base is the address under which the site was visited.
func base(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// page renders a template with the usual headers.
func (s *Site) page(w http.ResponseWriter, status int, name string, data any) {
	var b bytes.Buffer
	if err := s.pages.ExecuteTemplate(&b, name, data); err != nil {
		s.options.Logger.Error("page", "site", s.Name, "page", name, "err", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

// forged answers a form whose token is not the session's.
func forged(w http.ResponseWriter) {
	http.Error(w, "This form has expired. Go back, reload the page and try again.", http.StatusForbidden)
}

// arrive records a POST of the sign-up form before anything is done about it.
// It returns the record's index; the request's body can be read again.
func (s *Site) arrive(w http.ResponseWriter, r *http.Request) (int, CommitFault) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4<<20))
	r.Body = io.NopCloser(bytes.NewReader(body))
	c := wireOf(r)
	sub := Submit{At: s.clock.Now(), Path: r.URL.Path, Header: r.Header.Clone(), Body: body, Proto: r.Proto, Conn: c.id, Reused: c.requests.Load() > 1}
	s.mu.Lock()
	sub.N = len(s.submits) + 1
	hook := s.onCommit
	s.mu.Unlock()
	var f CommitFault
	if hook != nil && err == nil {
		f = hook(sub)
	}
	sub.Fault = f.Kind
	s.mu.Lock()
	sub.N = len(s.submits) + 1
	s.submits = append(s.submits, sub)
	s.mu.Unlock()
	s.sig.changed()
	if err != nil {
		c.hangUp()
	}
	return sub.N - 1, f
}

func (s *Site) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, stop := range s.stops {
		stop()
	}
}
