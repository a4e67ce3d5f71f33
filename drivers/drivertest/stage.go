package drivertest

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// canary is the password of the suite's tasks. It must never be said.
const canary = "Canary-Secret-9417"

// limit bounds a run of the suite; a driver that is held to a shorter time gets
// slack for coming back.
const (
	limit = 40 * time.Second
	slack = 3 * time.Second
)

// stage is one slot's browser context, site and services.
type stage struct {
	slot    int
	session core.Session
	end     func() // takes the browser context away

	mu      sync.Mutex
	opened  chan struct{} // closed at the first request for a page
	touched bool
	sent    []string // forms that reached the site
	commits int
	logged  []string
	human   func(context.Context) (core.Answer, error)
}

// stage opens what a run of a slot needs, with a site that page answers for.
func (c *check) stage(slot int, page http.HandlerFunc) *stage {
	return c.stageIn(slot, page, core.ContextOptions{Language: "en"})
}

func (c *check) stageIn(slot int, page http.HandlerFunc, o core.ContextOptions) *stage {
	s := &stage{slot: slot, opened: make(chan struct{})}
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.saw(r)
		page(w, r)
	}))
	c.later(site.Close)
	gate, err := c.machine.Egress.Open(c.ctx)
	if err != nil {
		c.errorf("open an egress port: %v", err)
		return nil
	}
	c.later(func() { gate.Close() })
	gate.Admit(core.EgressRules{Domain: "site.test", Base: site.URL, Private: true})
	gate.Until(c.machine.Egress.Now() + time.Hour)
	bc, err := c.machine.Browsers.Context(c.ctx, gate.URL(), o)
	if err != nil {
		c.errorf("open a browser context: %v", err)
		return nil
	}
	s.end = func() { bc.Close() }
	c.later(s.end)
	s.session = core.Session{
		ControlURL: bc.ControlURL(), ContextID: bc.ContextID(), TargetID: bc.TargetID(),
		Base: site.URL, Proxy: gate.URL(), Services: s,
	}
	return s
}

func (s *stage) saw(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path != "/favicon.ico" && !s.touched {
		s.touched = true
		close(s.opened)
	}
	if r.Method == http.MethodPost && r.ParseForm() == nil {
		s.sent = append(s.sent, r.PostForm.Encode())
	}
}

// elsewhere is a server that no session may reach, and how often it was reached.
func (c *check) elsewhere() (url string, reached func() int) {
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		c.errorf("listen for what must not come: %v", err)
		return "http://127.0.0.2:9", func() int { return 0 }
	}
	var mu sync.Mutex
	n := 0
	other := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		n++
	})}}
	other.Start()
	c.later(other.Close)
	return other.URL, func() int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}
}

// task is a task with every field that the manifest may ask for.
func (c *check) task(options map[string]any) core.Task {
	about := "I grow beans."
	t := core.Task{
		ID: "conformance", Domain: "site.test", Kind: core.Onboard, Attempt: 1, Language: "en", Facts: core.Facts{}, Options: map[string]any{},
		Entity: core.Entity{Social: []string{"https://social.example/ada"}, Connect: []string{"https://links.example/ada"}, Fields: map[string]core.Value{
			core.FieldUsername: core.Text("ada_l"), core.FieldEmail: core.Text("ada@mail.test"), core.FieldPassword: core.Secret(canary),
			core.FieldFirstName: core.Text("Ada"), core.FieldLastName: core.Text("Lovelace"), core.FieldPhone: core.Text("+44 20 7946 0000"),
			core.FieldAddress: core.Text("12 St James's Square"), core.FieldLocation: core.Text("London"), core.FieldBirthday: core.Text("1990-12-10"),
			core.FieldAbout: core.Text(about), "about_html": core.Text("<p>" + about), core.FieldWebsite: core.Text("https://ada.example"),
		}},
	}
	if len(c.manifest.Domains) > 0 {
		t.Domain = c.manifest.Domains[0]
	}
	for name, o := range c.manifest.Options {
		t.Options[name] = o.Default
	}
	for name, v := range options {
		t.Options[name] = v
	}
	return t
}

// run does a phase within a time, and says when it came back too late, when it
// changed what it was given, and when it said the secret.
func (c *check) run(ctx context.Context, s *stage, phase core.Phase, task core.Task, within time.Duration) (core.Outcome, error) {
	before := fmt.Sprintf("%#v %#v", task, s.session.Hosts)
	begin := time.Now()
	deadline, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	o, err := c.driver.Run(deadline, s.slot, phase, task, s.session)
	if took := time.Since(begin); took > within+slack {
		c.errorf("%s came back %v after its deadline", phase, took-within)
	}
	if fmt.Sprintf("%#v %#v", task, s.session.Hosts) != before {
		c.errorf("%s changed the task or the session that it was given", phase)
	}
	said := fmt.Sprintf("%+v", o)
	if err != nil {
		said += err.Error()
		if f := core.AsFault(err, core.DriverError); f != nil {
			said += f.Detail
		}
	}
	s.mu.Lock()
	said += strings.Join(s.logged, "\n")
	s.mu.Unlock()
	if strings.Contains(said, canary) {
		c.errorf("%s says the password, in its outcome, its error or its log", phase)
	}
	if err == nil {
		if bad := o.Check(phase); bad != nil {
			c.errorf("%v", bad)
		}
	}
	return o, err
}

// Commit admits one.
func (s *stage) Commit(context.Context, string, core.Facts) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.commits++; s.commits > 1 {
		return core.ErrCommitted
	}
	return nil
}

// Committed has nothing to do.
func (s *stage) Committed(context.Context, string) error { return nil }

// Mail has none.
func (s *stage) Mail(context.Context, core.MailQuery) (core.MailMessage, error) {
	return core.MailMessage{}, core.ErrNotYet
}

// TOTP has none.
func (s *stage) TOTP(context.Context) (core.Value, error) { return core.Value{}, core.ErrNoTOTP }

// EnrolTOTP takes any.
func (s *stage) EnrolTOTP(context.Context, core.Value) error { return nil }

// Asset has none.
func (s *stage) Asset(context.Context, string, core.Fit) (string, error) {
	return "", core.ErrNoAsset
}

// Human finds nobody, unless the case says otherwise.
func (s *stage) Human(ctx context.Context, _ core.Ask) (core.Answer, error) {
	if s.human != nil {
		return s.human(ctx)
	}
	return core.Answer{}, core.ErrAway
}

// Log keeps the line.
func (s *stage) Log(_ context.Context, _ slog.Level, msg string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logged = append(s.logged, msg+" "+fmt.Sprint(args...))
}

// Shot takes no picture.
func (s *stage) Shot(context.Context, string) error { return nil }

func (s *stage) committed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commits
}

func (s *stage) forms() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.sent...)
}
