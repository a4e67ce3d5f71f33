package core

import (
	"context"
	"errors"
	"time"
)

// TaskManager is the Entity API. Its errors are *Refusal, ErrGone, *AuthError
// and *TransientError; anything else is a fault of the client's own.
type TaskManager interface {
	// List returns at most limit tasks of both kinds, in the server's order.
	// Items that can't be read are reported beside the others, never silently lost.
	List(ctx context.Context, limit int) (Listing, error)
	// Get reads one task. ErrGone when the server does not know it.
	Get(ctx context.Context, id string) (Listed, error)
	Start(ctx context.Context, id string) error
	Complete(ctx context.Context, id string, r Report) error
	Fail(ctx context.Context, id string, r Report) error
}

// Listing is one answer to List.
type Listing struct {
	Tasks    []Listed
	Unread   []UnreadItem
	Warnings []string // one line each: an absent status, an unknown shape of images
}

// UnreadItem is an item of a list that could not be decoded.
type UnreadItem struct {
	Index int    // position in the answer
	ID    string // when it could be read
	Why   string
}

// Listed is a task with what the server says of its state.
type Listed struct {
	Task   Task
	Status string // as the server named it; "" when it named none
}

// StateNames are the server's names of a task's states.
type StateNames struct {
	Register, Registering, Profiled, RegisterFailed, ProfileFailed string
	Connect, Connecting, Completed, ConnectFailed                  string
}

// DefaultStateNames are the protocol's; the connect phase's are an assumption of docs/protocol.md.
var DefaultStateNames = StateNames{
	Register: "register", Registering: "registering", Profiled: "profiled",
	RegisterFailed: "register_failed", ProfileFailed: "profile_failed",
	Connect: "connect", Connecting: "connecting", Completed: "completed", ConnectFailed: "connect_failed",
}

// Refusal is a server's clear no: a 4xx, or 200 with "success": false.
type Refusal struct {
	Call    string // list, get, start, complete, fail
	Status  int    // HTTP status
	Message string // the server's own words, at most 300 characters
}

func (e *Refusal) Error() string { return "the task manager refused " + e.Call + ": " + e.Message }

// AuthError is a 401 or 403: the runner pauses until the key is mended.
type AuthError struct {
	Status  int
	Message string
}

func (e *AuthError) Error() string {
	return "the task manager does not accept the API key ([entity] api_key): " + e.Message
}

// TransientError is a call that may be tried again. Ambiguous says that it may
// have taken effect: the task is read before anything is repeated.
type TransientError struct {
	Call       string
	Ambiguous  bool
	RetryAfter time.Duration // the server's wish, zero when it named none
	Err        error
}

func (e *TransientError) Error() string { return e.Call + ": " + e.Err.Error() }
func (e *TransientError) Unwrap() error { return e.Err }

// ErrGone is returned for a task that the server does not know (404).
var ErrGone = errors.New("the task manager does not know the task")

// Report is what a task ends with. LinkProfile is required for complete, Message for fail.
type Report struct {
	Complete    bool
	Status      string // fail only: one of the server's failed states
	LinkProfile string
	Email       Value // only where it differs from the task's
	Username    Value
	Password    Value
	Note        string
	Message     string // fail only: error_message, at most 1,000 characters, redacted
}

// Binding is a site that may be run, and how.
type Binding struct {
	Domain      string
	Driver      string // name
	Digest      string // of the driver's source or binary
	Source      string // where it came from: a path, or "bundled"
	Manifest    Manifest
	Base        string   // no trailing slash
	Hosts       []string // the driver's and the site's
	Pace        Pace     // effective
	MaxPerDay   int      // 0: no quota
	Options     map[string]any
	OnExists    string // fail, adopt, variant
	TermsAccept bool
	Language    string
	Basis       string    // owner, contract, terms
	Expires     time.Time // of the basis; zero: never
	BaseFixed   bool      // base_url was configured: private addresses of its host are allowed
	Native      bool      // the driver is a program of its own, not a script
	Reuse       bool      // the next task of the site goes on in the cleaned browser context of the last one
}

// Catalog answers which driver serves a domain, and why.
type Catalog interface {
	// Lookup returns the binding, or a *NoBinding that says why there is none.
	Lookup(domain string) (Binding, error)
	// Version is the binding with an earlier version of its driver, false when
	// that version is not at hand any more.
	Version(b Binding, digest string) (Binding, bool)
	// Bindings lists every site that can run now.
	Bindings() []Binding
	// Changed is closed when the answers may have changed; ask again afterwards.
	Changed() <-chan struct{}
}

// NoBinding says why a domain can't be run.
type NoBinding struct {
	Domain  string
	Reason  string // not allowed, basis expired, no driver, …: one clause
	Command string // what the operator can do about it
	Allowed bool   // whether the operator allowed the site
}

func (e *NoBinding) Error() string { return e.Domain + ": " + e.Reason + "; " + e.Command }

// Egress is the proxy through which a slot reaches its site.
type Egress interface {
	Open(ctx context.Context) (Gate, error)
	// Now is the clock of the fences: CLOCK_BOOTTIME, which goes on in suspend.
	Now() time.Duration
}

// EgressRules are what one task may reach.
type EgressRules struct {
	Domain  string   // and its subdomains
	Base    string   // the site's base address
	Private bool     // private and loopback addresses of Base's host are allowed
	Hosts   []string // exact hosts or *.host
}

// Gate is one slot's egress port. It is closed until Admit, and forwards no
// byte after the fence.
type Gate interface {
	URL() string // http://127.0.0.1:PORT
	Admit(rules EgressRules)
	// Until sets the fence, a moment of Egress.Now; open tunnels are cut when it passes.
	Until(deadline time.Duration)
	// DropIdle closes the slot's idle upstream connections and tunnels, so that
	// the next request goes over a fresh one.
	DropIdle()
	// Writes counts the non-GET, non-HEAD requests that were sent to the site. For
	// TLS tunnels, whose requests can't be seen, it counts the bytes-carrying tunnels.
	Writes() int
	// Refused lists host and reason of what was refused since Admit, oldest first, at most 50.
	Refused() []string
	// Fetch reads a page of the site logged-out, through the same rules: status,
	// final address, and at most 1 MB of body.
	Fetch(ctx context.Context, url string) (status int, final string, body []byte, err error)
	// Shut closes every connection and admits nothing until the next Admit.
	Shut()
	Close() error
}

// Browsers is the one Chromium that serves the slots.
type Browsers interface {
	// Context opens a fresh context with one blank tab, proxied through proxy.
	Context(ctx context.Context, proxy string, o ContextOptions) (BrowserContext, error)
}

// ContextOptions are the settings of a context.
type ContextOptions struct {
	Language  string // Accept-Language
	Downloads bool   // downloads are denied otherwise
	// Own asks for a browser process that serves this context only: whoever is
	// given its ControlURL sees all that the process has open.
	Own bool
}

// BrowserContext is one task's browser context.
type BrowserContext interface {
	ControlURL() string
	ContextID() string
	TargetID() string
	// Shot is a PNG of the page, with filled secret fields and everything that
	// shows one of the secrets masked.
	Shot(ctx context.Context, secrets ...Value) ([]byte, error)
	// Writes counts, until stop, the requests of the page to a host of the site that
	// may change something there: all but GET, HEAD and OPTIONS. It sees what a
	// tunnel hides from the egress port.
	Writes(ctx context.Context, site func(host string) bool) (stop func() int, err error)
	// Dead is closed when the browser or its renderer is gone.
	Dead() <-chan struct{}
	// Own makes a file readable by the browser, and by nobody else it need not be.
	Own(path string) error
	Close() error
}

// Cleaner is what a BrowserContext also is where it can serve another task of
// the same site.
type Cleaner interface {
	// Clean takes away everything that pages could leave in the context, and leaves
	// its tab blank. The egress port must be shut meanwhile. After an error, and when
	// ctx ended first, the context may hold anything and must be closed.
	Clean(ctx context.Context) error
}

// Workers runs drivers in processes of their own.
type Workers interface {
	// Slot returns the process of a slot, made when it is first needed.
	Slot(name string) Worker
	Close() error
}

// Worker is one slot's process.
type Worker interface {
	// Run runs a phase of the driver. An overrun of ctx, memory or output kills
	// the process group and is a *Fault.
	Run(ctx context.Context, b Binding, phase Phase, task Task, s Session) (Outcome, error)
	Close() error
}

// Mailboxes finds messages. It is the only user of the mailbox's credentials.
type Mailboxes interface {
	// Mark is the position in the task's mailbox after which mail counts.
	// ErrNoMailbox when none is configured for the address.
	Mark(ctx context.Context, e Entity) (MailMark, error)
	// Find waits until ctx ends for a message to the task's address after mark.
	// ErrNotYet when ctx ended first. Site is the site's domain and its base
	// address, parted by a space: a link counts that leads there or below.
	Find(ctx context.Context, e Entity, mark MailMark, site string, q MailQuery) (MailMessage, error)
}

// MailMark is a position in a mailbox (RFC 3501: UIDVALIDITY and UIDNEXT), in
// the inbox and in the folder for junk.
type MailMark struct {
	UIDValidity, UIDNext   uint32    // of the inbox
	JunkValidity, JunkNext uint32    // of the junk folder; zero when there was none
	At                     time.Time // when the mark was taken: a folder that was made anew since is read from here
}

// ErrNoMailbox is returned for an address that no [mail] section serves.
var ErrNoMailbox = errors.New("no [mail] section serves this address")

// Assets fetches and fits images.
type Assets interface {
	// Fetch gets the first of the addresses that is an image, fits it and returns
	// a file below dir. ErrNoAsset when there are no addresses.
	Fetch(ctx context.Context, urls []string, fit Fit, dir string) (path string, err error)
}

// Texts turns the task's rich text into what a field accepts.
type Texts interface {
	// Fit converts HTML to the limit's format and cuts it at a word to the limit's
	// length; cut is the length it was cut to, 0 when nothing was cut.
	Fit(html string, limit Limit) (text string, cut int)
	// Spin resolves {a|b} syntax; the same seed makes the same choices.
	Spin(text, seed string) string
	// Username is the nth candidate that fits the limit: 0 is base itself, made to
	// fit. The same arguments give the same name; "" when none can be made.
	Username(base string, limit Limit, n int) string
	// Password is base where it fits the limit, else a new one made of it that does.
	Password(base Value, limit Limit) (Value, error)
}

// Redactor removes registered secrets, in every encoding, from text.
type Redactor interface {
	// Add registers values until release is called.
	Add(values ...Value) (release func())
	Redact(text string) string
}
