package html_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/page"
)

const signup = `<form method=post action=/to><input name=u value=ada><button>Go</button></form>`

func TestTheIntentStandsBeforeTheRequest(t *testing.T) {
	p, s, r := opened(t, signup)
	seen := must[page.Seen](t)(p.CommitClick(t.Context(), at("button"), signs("made", "#ok", "refused", ".error")))
	if seen.Label != "made" || r.commits != 1 || r.committed != 1 {
		t.Errorf("%+v, %d commits, %d committed", seen, r.commits, r.committed)
	}
	if want := []string{"GET /"}; !slices.Equal(r.before, want) {
		t.Errorf("before the intent came %v", r.before)
	}
	if want := []string{"GET /", "POST /to"}; !slices.Equal(s.requests(), want) {
		t.Errorf("requests %v", s.requests())
	}
	_, err := p.CommitClick(t.Context(), at("button"), signs("made", "#ok"))
	if !errors.Is(err, core.ErrCommitted) {
		t.Errorf("a second commit: %v", err)
	}
	if len(s.requests()) != 2 {
		t.Errorf("requests %v", s.requests())
	}
}

func TestACommitWithAFunction(t *testing.T) {
	p, s, r := opened(t, signup)
	seen := must[page.Seen](t)(p.Commit(t.Context(), "register", func(ctx context.Context) error {
		_, err := p.Click(ctx, at("button"), nil)
		return err
	}, signs("made", "#ok")))
	if seen.Said != "Thanks" || r.commits != 1 || len(s.requests()) != 2 {
		t.Errorf("%+v, %d commits, %v", seen, r.commits, s.requests())
	}
}

func TestNoIntentNoRequest(t *testing.T) {
	p, s, r := opened(t, signup)
	r.fail = core.ErrLeaseLost
	_, err := p.CommitClick(t.Context(), at("button"), signs("made", "#ok"))
	if !errors.Is(err, core.ErrLeaseLost) || len(s.requests()) != 1 {
		t.Errorf("%v, %v", err, s.requests())
	}
	p = attach(t, s, r, core.Profile)
	must[page.Seen](t)(p.Open(t.Context(), "/", nil))
	if _, err := p.CommitClick(t.Context(), at("button"), signs("made", "#ok")); !errors.Is(err, core.ErrNoCommit) {
		t.Errorf("outside of register: %v", err)
	}
	_, err = p.CommitClick(t.Context(), at("#nowhere"), signs("made", "#ok"))
	if !errors.Is(err, core.ErrNoCommit) || r.commits != 1 {
		t.Errorf("%v, %d commits", err, r.commits)
	}
}

// TestALostAnswerIsNeverAskedForAgain counts the requests on the wire: the site
// takes the form and dies in every way that a client might answer by sending it again.
func TestALostAnswerIsNeverAskedForAgain(t *testing.T) {
	hijack := func(do func(net.Conn)) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			do(c)
		}
	}
	for name, die := range map[string]func(net.Conn){
		"closed": func(c net.Conn) { c.Close() },
		"reset": func(c net.Conn) {
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		},
		"half an answer": func(c net.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Le"); c.Close() },
		"half a page": func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5000\r\n\r\n<p id=ok>")
			c.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := serve(t, map[string]any{"GET /": signup, "POST /to": hijack(die)}), &runner{}
			p := attach(t, s, r, core.Register)
			for range 3 { // so that there are connections to use again
				must[page.Seen](t)(p.Open(t.Context(), "/", nil))
			}
			_, err := p.CommitClick(t.Context(), at("button"), signs("made", "#ok"))
			answered(t, err, core.SiteDown)
			if r.commits != 1 || r.committed != 0 {
				t.Errorf("%d commits, %d committed", r.commits, r.committed)
			}
			if n := len(slices.DeleteFunc(s.requests(), func(r string) bool { return r != "POST /to" })); n != 1 {
				t.Errorf("the form was sent %d times", n)
			}
		})
	}
}

func TestWhatTheSiteAnswersToACommit(t *testing.T) {
	answer := func(status int, body string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Retry-After", "90")
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	run := func(status int, body string) (page.Seen, *runner, error) {
		s, r := serve(t, map[string]any{"GET /": signup, "POST /to": answer(status, body)}), &runner{}
		p := attach(t, s, r, core.Register)
		must[page.Seen](t)(p.Open(t.Context(), "/", nil))
		seen, err := p.CommitClick(t.Context(), at("button"), signs("made", "#ok", "refused", ".error"))
		return seen, r, err
	}
	_, _, err := run(429, "slow down")
	if o := answered(t, err, core.RateLimited); o.After != 90*time.Second {
		t.Errorf("after %s", o.After)
	}
	_, r, err := run(503, "down")
	if answered(t, err, core.SiteDown); r.committed != 0 {
		t.Error("a site that is down has answered nothing")
	}
	_, _, err = run(404, "<h1>Not found</h1><p class=error-page>what?</p>")
	faulty(t, err, core.HTTPError, "404 Not Found", "says: what?")
	// A sign wins over the status.
	seen, r, err := run(422, "<p class=error>The name is taken</p>")
	if err != nil || seen.Label != "refused" || seen.Said != "The name is taken" || r.committed != 1 {
		t.Errorf("%+v %v", seen, err)
	}
	_, _, err = run(200, "<p id=ok>made</p><p class=error>refused</p>")
	faulty(t, err, core.LayoutChanged, "several signs at once")
	_, _, err = run(200, "<title>Welcome</title><p class=errors>The captcha is wrong</p>")
	faulty(t, err, core.LayoutChanged, "none of its signs came: made (#ok), refused (.error)", "Welcome", "The captcha is wrong")
	_, _, err = run(204, "")
	faulty(t, err, core.LayoutChanged, "none of its signs came")
}

func TestAStaleSignIsNoSuccess(t *testing.T) {
	const stale = `<p id=ok>Saved</p><form method=post action=/to><input type=checkbox id=box><input id=u><button>Go</button></form><a href="#part">part</a><a id=ping href=/ping>ping</a>`
	s := serve(t, map[string]any{"GET /": stale, "POST /to": stale, "GET /ping": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }})
	p := attach(t, s, &runner{}, core.Login)
	ctx := t.Context()
	must[page.Seen](t)(p.Open(ctx, "/", sign("ok", "#ok")))
	// On the same document nothing is news …
	_, err := p.Check(ctx, at("#box"), true, sign("ok", "#ok"))
	faulty(t, err, core.LayoutChanged, "none of its signs came")
	_, err = p.Fill(ctx, at("#u"), text("x"), sign("ok", "#ok", "gone", "gone=#error"))
	faulty(t, err, core.LayoutChanged, "none of its signs came")
	_, err = p.Click(ctx, at("#ping"), sign("ok", "#ok"))
	faulty(t, err, core.LayoutChanged, "none of its signs came")
	// … but what changed is: what was checked, the address.
	if seen := must[page.Seen](t)(p.Check(ctx, at("#box"), false, sign("off", "gone=#box:checked"))); seen.Label != "off" {
		t.Errorf("%+v", seen)
	}
	if seen := must[page.Seen](t)(p.Click(ctx, at("text=part"), sign("ok", "#ok", "at", "url=/#part"))); seen.Label != "at" {
		t.Errorf("%+v", seen)
	}
	// In the next document all is.
	if seen := must[page.Seen](t)(p.Click(ctx, at("button"), sign("ok", "#ok"))); seen.Said != "Saved" {
		t.Errorf("%+v", seen)
	}
	// Without an action what is there counts.
	if seen := must[page.Seen](t)(p.Await(ctx, signs("ok", "#ok"))); seen.Label != "ok" {
		t.Errorf("%+v", seen)
	}
}

func TestSignsByAddressAndAbsence(t *testing.T) {
	s := serve(t, map[string]any{"GET /form": `<form id=f action="/done/%C4%91"><input type=hidden name=x value=1><button>Go</button></form>`, "GET /done/đ": `<p>fine</p>`})
	p := attach(t, s, &runner{}, core.Login)
	for _, want := range []string{"url=/done/đ?x=1", "url=/done/*x=1", "url=%C4%91", "gone=#f"} {
		must[page.Seen](t)(p.Open(t.Context(), "/form", sign("form", "#f")))
		if seen, err := p.Click(t.Context(), at("button"), sign("yes", want, "no", "url=/form")); err != nil || seen.Label != "yes" {
			t.Errorf("%s: %+v %v", want, seen, err)
		}
	}
}

func TestAPageThatAnnouncesAnotherIsFollowed(t *testing.T) {
	s := serve(t, map[string]any{
		"GET /":     `<meta http-equiv=refresh content="0; url='/next'"><p id=wait>Please wait</p>`,
		"GET /next": `<p id=ok>There</p>`,
		"GET /loop": `<meta http-equiv=refresh content="0;url=/loop">`,
	})
	p := attach(t, s, &runner{}, core.Login)
	if seen := must[page.Seen](t)(p.Open(t.Context(), "/", sign("ok", "#ok"))); seen.Said != "There" {
		t.Errorf("%+v", seen)
	}
	if seen := must[page.Seen](t)(p.Open(t.Context(), "/", sign("wait", "#wait"))); seen.Label != "wait" {
		t.Errorf("%+v", seen)
	}
	_, err := p.Open(t.Context(), "/loop", sign("ok", "#ok"))
	faulty(t, err, core.LayoutChanged, "none of its signs came")
}

func TestAnAnswerThatDoesNotComeEndsInTime(t *testing.T) {
	free := make(chan struct{})
	s := serve(t, map[string]any{"GET /": signup, "POST /to": func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-free:
		case <-r.Context().Done():
		}
	}})
	t.Cleanup(func() { close(free) })
	r := &runner{}
	p := attach(t, s, r, core.Register)
	must[page.Seen](t)(p.Open(t.Context(), "/", nil))
	short := signs("made", "#ok")
	short.Timeout = 50 * time.Millisecond
	_, err := p.CommitClick(t.Context(), at("button"), short)
	faulty(t, err, core.Timeout, "has not answered in time")
	if n := len(slices.DeleteFunc(s.requests(), func(r string) bool { return !strings.HasPrefix(r, "POST") })); n != 1 || r.commits != 1 || r.committed != 0 {
		t.Errorf("%d requests, %d commits, %d committed", n, r.commits, r.committed)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = p.Open(ctx, "/", nil)
	faulty(t, err, core.Cancelled)
}

func TestSecretsGoWhereTheyBelongAndNowhereElse(t *testing.T) {
	p, s, _ := opened(t, `<form method=post action=/to><input name=plain><input type=password name=p data-x=1><input name=otp maxlength=6>
		<input name=hint autocomplete=one-time-code><textarea name=area></textarea><input type=hidden name=h><button>Go</button>
		<button id=away formaction="http://other.test/">Away</button></form><p id=echo>you typed hush-hush</p>`)
	ctx, pw := t.Context(), secret("hush-hush")
	for _, loc := range []string{"[name=plain]", "[name=area]"} {
		_, err := p.Fill(ctx, at(loc), pw, nil)
		faulty(t, err, core.DriverError, "a secret is not typed here", "secret_fields:"+loc)
	}
	must[page.Seen](t)(p.Fill(ctx, at("[name=p]"), pw, nil))
	must[page.Seen](t)(p.Type(ctx, at("[name=otp]"), secret("123456"), nil))
	must[page.Seen](t)(p.Fill(ctx, at("[name=hint]"), secret("654321"), nil))
	for _, loc := range []string{"[name=p]", "[name=otp]", "[name=hint]"} {
		for _, name := range []string{"value", "VALUE", "text"} {
			v, err := p.Attr(ctx, at(loc), name)
			if v != "" {
				t.Errorf("%s of %s is %q", name, loc, v)
			}
			faulty(t, err, core.DriverError, "never read")
		}
		_, err := p.Text(ctx, at(loc))
		faulty(t, err, core.DriverError, "never read")
	}
	if v, err := p.Text(ctx, at("#echo")); err != nil || v != "you typed •••" {
		t.Errorf("%q %v", v, err)
	}
	if v, err := p.Text(ctx, at("form")); err != nil || strings.Contains(v, "123456") || strings.Contains(v, "654321") {
		t.Errorf("%q %v", v, err)
	}
	// A button that sends the form elsewhere is found out when it is pressed.
	_, err := p.Click(ctx, at("#away"), nil)
	faulty(t, err, core.DriverError, "a secret is not sent")
	must[page.Seen](t)(p.Click(ctx, at("text=Go"), nil))
	if g := s.last(); g.body != "plain=&p=hush-hush&otp=123456&hint=654321&area=&h=" {
		t.Errorf("sent %q", g.body)
	}
}

func TestASecretFollowsNoRedirectToAnotherSite(t *testing.T) {
	s := serve(t, map[string]any{"GET /": `<form method=post action=/to><input type=password name=p><button>Go</button></form>`,
		"POST /to": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://cdn.test/", http.StatusTemporaryRedirect)
		}})
	p := attach(t, s, &runner{}, core.Login, func(_ *page.Options, c *core.Session) { c.Hosts = []string{"cdn.test"} })
	must[page.Seen](t)(p.Open(t.Context(), "/", nil))
	must[page.Seen](t)(p.Fill(t.Context(), at("[name=p]"), secret("hush-hush"), nil))
	_, err := p.Click(t.Context(), at("button"), nil)
	faulty(t, err, core.DriverError, "a secret is not sent", "redirects its form")
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func TestAskAndAgree(t *testing.T) {
	s := serve(t, map[string]any{"GET /": `<form method=post action=/to><input type=checkbox id=a name=a><label for=a>I accept the <a href=/terms>terms</a></label><button>Go</button></form>`,
		"GET /terms": "<p>Be kind.</p>", "POST /to": "<p id=ok>fine"})
	r := &runner{}
	p := attach(t, s, r, core.Register)
	ctx := t.Context()
	must[page.Seen](t)(p.Open(ctx, "/", nil))
	if _, err := p.Ask(ctx, core.Captcha, "which\nword?"); !errors.Is(err, core.ErrAway) {
		t.Errorf("nobody is there: %v", err)
	}
	if _, err := p.Agree(ctx, at("#a"), nil); !errors.Is(err, core.ErrAway) {
		t.Errorf("nobody is there: %v", err)
	}
	r.answer = "blue"
	if v := must[core.Value](t)(p.Ask(ctx, core.Captcha, "which word?")); !v.IsSecret() || v.Reveal() != "blue" {
		t.Errorf("answer %v", v)
	}
	must[page.Seen](t)(p.Agree(ctx, at("#a"), nil))
	if a := r.asked[len(r.asked)-1]; a.Kind != core.AskAgree || a.Say != "I accept the terms" || a.URL != s.URL+"/terms" || a.Hash != hash("Be kind.") {
		t.Errorf("asked %+v", a)
	}
	must[page.Seen](t)(p.Click(ctx, at("text=Go"), sign("ok", "#ok")))
	if g := s.last(); g.body != "a=on" {
		t.Errorf("sent %q", g.body)
	}
}
