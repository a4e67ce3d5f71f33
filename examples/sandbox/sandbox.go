package sandbox

import (
	"cmp"
	"context"
	"crypto/tls"
	"embed"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"html/template"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// The domains under which tasks name the sites.
const (
	BoardDomain     = "board.sandbox.test"
	CommunityDomain = "community.sandbox.test"
	WizardDomain    = "wizard.sandbox.test"
	GuardedDomain   = "guarded.sandbox.test"
	// StrangerDomain is of nobody who allowed anything, OrphanDomain is allowed but no driver serves it.
	StrangerDomain = "stranger.sandbox.test"
	OrphanDomain   = "orphan.sandbox.test"
)

// Options are the settings of a sandbox. The zero value is a good one.
type Options struct {
	Addrs  Addrs
	Clock  Clock        // Defaults to the system's.
	Seed   uint64       // Of session and form tokens. Defaults to 1: every run has the same.
	Logger *slog.Logger // Defaults to none.

	APIKey        string        // Defaults to "sandbox-key".
	Connect       ConnectMode   // Defaults to ConnectSupported.
	RefusalStatus int           // HTTP status of a refusal; 200 is a mode of real servers too. Defaults to 400.
	MaxRetries    int           // How often the retry manager queues a failed task again. Defaults to 0.
	RetryDelay    time.Duration // How long it waits first. Defaults to at once.

	MailPassword string        // Defaults to "sandbox-mail-pass".
	MailDelay    time.Duration // Between a sign-up and its mail. Defaults to at once.
	MailTwice    bool          // Every mail is sent twice, the second with a new link.
	MailHTMLOnly bool          // Mail has no text part.

	Terms  bool // Board asks to accept its terms at sign-up.
	Weight int  // Bytes of script, style sheet and picture that Board's pages carry besides their own.
	TLS    bool // Board is served over TLS and h2 too.
	// Around is put around Board's handler, to see what is asked and when. Defaults to nothing.
	Around func(board http.Handler) http.Handler

	HoolaEvery time.Duration // Between two calls of the bulk API. Defaults to 10m.
}

// Addrs are the loopback addresses to serve on, "127.0.0.1:8080"; an empty one
// means any free port.
type Addrs struct {
	Manager, Admin, Mail, Images, Board, BoardTLS, Community, Wizard, Guarded, Hoola string
}

// Sandbox is everything, running.
type Sandbox struct {
	Manager   *Manager
	Mail      *Mail
	Images    *Images
	Board     *Site
	Community *Site
	Wizard    *Site
	Guarded   *Site
	Hoola     *Hoola
	Admin     Admin

	options   Options
	endpoints []*endpoint
	stop      func() bool
	closing   sync.Once
}

// Admin is the address of the pages and calls for people who steer the sandbox.
type Admin struct{ URL string }

//go:embed pages
var pageFiles embed.FS

// Start serves a sandbox until Close, or until ctx ends.
func Start(ctx context.Context, o Options) (*Sandbox, error) {
	o.APIKey = cmp.Or(o.APIKey, "sandbox-key")
	o.MailPassword = cmp.Or(o.MailPassword, "sandbox-mail-pass")
	o.Connect = cmp.Or(o.Connect, ConnectSupported)
	o.RefusalStatus = cmp.Or(o.RefusalStatus, http.StatusBadRequest)
	o.Seed = cmp.Or(o.Seed, 1)
	if o.Clock == nil {
		o.Clock = systemClock{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	pages, err := template.New("").Funcs(pageFuncs).ParseFS(pageFiles, "pages/*.html")
	if err != nil {
		return nil, err
	}
	sb := &Sandbox{options: o, Manager: newManager(o), Images: &Images{}, Hoola: newHoola(o)}
	site := func(i uint64, name, domain string) *Site {
		return &Site{
			Name: name, Domain: domain, clock: o.Clock, options: o, pages: pages, tokens: newTokens(o.Seed, i),
			byName: map[string]*Account{}, sessions: map[string]*session{}, words: map[string]string{}, uploads: map[string]image{},
		}
	}
	sb.Board, sb.Community = site(1, "board", BoardDomain), site(2, "community", CommunityDomain)
	sb.Wizard, sb.Guarded = site(3, "wizard", WizardDomain), site(4, "guarded", GuardedDomain)

	if sb.Mail, err = startMail(o); err != nil {
		return nil, err
	}
	sb.Community.announce = sb.sendConfirmation
	board := sb.Board.board()
	if o.Around != nil {
		board = o.Around(board)
	}
	type service struct {
		addr string
		h    http.Handler
		cert *tls.Certificate
		url  *string
	}
	services := []service{
		{o.Addrs.Manager, sb.Manager.handler(), nil, &sb.Manager.URL},
		{o.Addrs.Admin, sb.admin(), nil, &sb.Admin.URL},
		{o.Addrs.Images, sb.Images.handler(), nil, &sb.Images.URL},
		{o.Addrs.Board, board, nil, &sb.Board.URL},
		{o.Addrs.Community, sb.Community.community(), nil, &sb.Community.URL},
		{o.Addrs.Wizard, sb.Wizard.wizard(), nil, &sb.Wizard.URL},
		{o.Addrs.Guarded, sb.Guarded.guarded(), nil, &sb.Guarded.URL},
		{o.Addrs.Hoola, sb.Hoola.handler(), nil, &sb.Hoola.URL},
	}
	if o.TLS {
		cert, roots, err := selfSigned(BoardDomain, time.Now())
		if err != nil {
			return nil, errors.Join(err, sb.Close())
		}
		sb.Board.roots = roots
		services = append(services, service{o.Addrs.BoardTLS, board, cert, &sb.Board.TLSURL})
	}
	for _, s := range services {
		e, err := listen(s.addr, s.h, s.cert, o.Logger)
		if err != nil {
			return nil, errors.Join(err, sb.Close())
		}
		sb.endpoints = append(sb.endpoints, e)
		*s.url = e.url
	}
	sb.Manager.URL += entityPath
	sb.stop = context.AfterFunc(ctx, func() { sb.Close() })
	return sb, nil
}

// Sites lists the four sites.
func (sb *Sandbox) Sites() []*Site {
	return []*Site{sb.Board, sb.Community, sb.Wizard, sb.Guarded}
}

// Close ends every server, connection and timer, and returns when they are gone.
func (sb *Sandbox) Close() error {
	var errs []error
	sb.closing.Do(func() {
		if sb.stop != nil {
			sb.stop()
		}
		sb.Manager.close()
		for _, s := range sb.Sites() {
			s.close()
		}
		for _, e := range sb.endpoints {
			errs = append(errs, e.Close())
		}
		errs = append(errs, sb.Mail.close())
	})
	return errors.Join(errs...)
}

// tokens makes the random-looking names of sessions, forms and links.
type tokens struct {
	mu sync.Mutex
	r  *rand.ChaCha8
}

func newTokens(seed, stream uint64) *tokens {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	binary.LittleEndian.PutUint64(key[8:], stream)
	return &tokens{r: rand.NewChaCha8(key)}
}

func (t *tokens) next() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b [16]byte
	t.r.Read(b[:])
	return hex.EncodeToString(b[:])
}
