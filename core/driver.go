package core

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Driver runs a site's phases. It keeps no reference to task or session after
// Run returns, and never changes them.
type Driver interface {
	// Manifest is pure: the same answer every time, without effects.
	Manifest() Manifest
	// Run does one phase. What the site answered is the Outcome; a broken
	// attempt is an error, a *Fault where its place is known. A phase that the
	// manifest does not list is ErrNoPhase.
	Run(ctx context.Context, phase Phase, task Task, session Session) (Outcome, error)
}

// ErrNoPhase is returned by Run for a phase that the driver does not have.
var ErrNoPhase = errors.New("the driver has no such phase")

// ManifestAPI is the version of the manifest and of the script API.
const ManifestAPI = 1

// Manifest is what a driver says of itself, field for field the head of a Lua driver.
type Manifest struct {
	API         int
	Name        string
	Version     string
	Summary     string
	Domains     []string          // the domains it names itself; none for a family driver
	Family      bool              // for a software family, bound to domains by configuration
	Hosts       []string          // what its pages need besides the site, as exact hosts or *.host
	Needs       []string          // fields without which a task fails before the site is visited
	Wants       []string          // fields it uses when the task has them
	Limits      map[string]Limit  // by field or asset name
	Pace        Pace              // the driver's own; zero means the default
	Options     map[string]Option // settings per site
	Engine      string            // EngineBrowser, the default, or EngineHTTP
	Engines     map[Phase]string  // phases that run in another engine
	Dismiss     []string          // locators of banners, clicked when in the way
	Probe       Probe
	Public      bool // profiles can be read logged-out; true unless the driver says otherwise
	Permissions []string
	Skip        string  // why this driver is kept though it does not work; empty when it does
	Phases      []Phase // the phases it has
}

// Has reports whether the driver has the phase.
func (m Manifest) Has(p Phase) bool {
	for _, have := range m.Phases {
		if have == p {
			return true
		}
	}
	return false
}

// The engines that show a driver its pages.
const (
	EngineBrowser = "browser"
	EngineHTTP    = "http" // plain HTML: no browser is opened
)

// EngineOf is the engine that a phase runs in.
func (m Manifest) EngineOf(p Phase) string {
	for _, e := range []string{m.Engines[p], m.Engine} {
		if e != "" {
			return e
		}
	}
	return EngineBrowser
}

// The permissions a manifest may ask for.
const (
	PermitDownloads    = "downloads"
	PermitSecretFields = "secret_fields" // "secret_fields:LOCATOR": a secret may be typed into this plain field
)

// Limit is what a site accepts in one field, or as one asset.
type Limit struct {
	Min, Max int    `json:",omitzero"` // characters as a person counts them (grapheme clusters); 0 means no limit
	Chars    string `json:",omitzero"` // allowed characters as a class body, "a-z0-9_.-"
	Lower    bool   `json:",omitzero"` // only lower case
	Classes  int    `json:",omitzero"` // passwords: how many of lower, upper, digit, other
	Format   string `json:",omitzero"` // text, html, markdown, bbcode, wikitext, dokuwiki; empty means text
	KeepCase bool   `json:",omitzero"` // identities that differ only in case are different accounts
	Fit      Fit    `json:",omitzero"` // assets
}

// Fit is what an image must be before it is uploaded; zero fields don't limit.
type Fit struct {
	MaxWidth, MaxHeight int      `json:",omitzero"` // pixels
	MinWidth, MinHeight int      `json:",omitzero"` // pixels; smaller images are scaled up
	MaxKB               int      `json:",omitzero"` // kilobytes of 1,000 bytes
	Formats             []string `json:",omitzero"` // "png", "jpeg", "gif"; the first is what others become
	Square              bool     `json:",omitzero"` // cropped to the middle
}

// Option is one setting that the site's configuration may change.
type Option struct {
	Default any // string, bool or float64; the type of what is configured
	Help    string
}

// Pace is how often and how much at once a site is visited.
type Pace struct {
	Every       time.Duration // between the starts of two visits
	Concurrency int           // visits at the same time
}

// Probe is how far the driver's login can prove that there is no account.
type Probe struct {
	Authoritative bool          // bad_credentials after Settle means that the account does not exist
	Settle        time.Duration // how late a site may still commit
}

// Session is where a phase works. All but Services is plain text, so that it
// crosses a process border unchanged.
type Session struct {
	ControlURL string   // DevTools endpoint of the browser process; empty where the phase runs without one
	ContextID  string   // the task's own browser context
	TargetID   string   // its one tab
	Base       string   // address of the site, no trailing slash
	Proxy      string   // the slot's egress proxy, http://127.0.0.1:PORT
	Hosts      []string // hosts that are allowed besides the base's
	Services   Services
}

// Services is what the runner does for a driver.
type Services interface {
	// Commit makes the intent durable and opens the gate for the one
	// irreversible action called name. A second call in the same phase is
	// ErrCommitted; outside register it is ErrNoCommit.
	Commit(ctx context.Context, name string, facts Facts) error
	// Committed records that the site answered the committed action.
	Committed(ctx context.Context, name string) error
	// Mail waits for a message to the task's own address that came after the
	// mark of the commit. ErrNotYet after mail.hold: the phase ends as
	// Waiting(pending) and is entered again when mail comes.
	Mail(ctx context.Context, q MailQuery) (MailMessage, error)
	// TOTP is the current code of the secret enrolled on this site.
	TOTP(ctx context.Context) (Value, error)
	// EnrolTOTP seals the secret for this account; it is never returned.
	EnrolTOTP(ctx context.Context, secret Value) error
	// Asset is the path of the fitted image, readable by the browser. ErrNoAsset when the task has none.
	Asset(ctx context.Context, name string, fit Fit) (path string, err error)
	// Human asks a person. ErrAway when nobody came in human.hold: the phase
	// ends as Blocked with the ask's code and is entered again when a person comes.
	Human(ctx context.Context, ask Ask) (Answer, error)
	// Log adds a line to the task's time line; secrets are redacted by the sink.
	Log(ctx context.Context, level slog.Level, msg string, args ...any)
	// Shot keeps a picture of the page under label.
	Shot(ctx context.Context, label string) error
}

// Sentinels that Services return; they survive a process border.
var (
	ErrCommitted = errors.New("this phase has committed already")
	ErrNoCommit  = errors.New("only register commits, once")
	ErrNotYet    = errors.New("no such mail yet")
	ErrAway      = errors.New("nobody has answered yet")
	ErrNoAsset   = errors.New("the task has no such image")
	ErrNoTOTP    = errors.New("no one-time-code secret is enrolled for this account")
)

// MailQuery says which message a driver waits for.
type MailQuery struct {
	Link    []string      // parts that the decoded link must contain; with AnyLink none is needed
	AnyLink bool          // the first link to the site
	Code    string        // number of digits ("6") or a pattern with one group
	From    string        // part of the sender's address
	Subject string        // part of the decoded subject
	Within  time.Duration // how long to wait in all, over all re-entries; zero means mail.within
}

// MailMessage is the message found. Link, Code and Text are secrets.
type MailMessage struct {
	Link, Code, Text Value
	From, Subject    string
}

// AskKind is what a person is asked for.
type AskKind string

// The kinds.
const (
	AskAct    AskKind = "act"    // act on the page and say done
	AskAnswer AskKind = "answer" // type an answer
	AskAgree  AskKind = "agree"  // accept the terms at URL
)

// Ask is a question to a person.
type Ask struct {
	Kind AskKind
	Code Code   // a code of Blocked
	Say  string // what to do, one line
	URL  string // of the page, or of the terms
	Hash string // AskAgree: SHA-256 of the text of the terms
}

// Answer is a person's.
type Answer struct {
	Text Value // AskAnswer: what was typed; a secret
	By   string
}
