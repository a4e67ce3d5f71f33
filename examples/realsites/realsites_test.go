package realsites_test

import (
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/examples/realsites"
)

// TestDriversTakeATaskToItsProfile signs up, confirms, signs in from a fresh
// context, fills the profile twice and adds the links of the connect phase twice.
func TestDriversTakeATaskToItsProfile(t *testing.T) {
	for name, start := range rounds {
		t.Run(name, func(t *testing.T) {
			sites := realsites.For(t)
			shown := fullRound(t, newRunner(t, sites, start(sites), nil))
			t.Run("without a browser", func(t *testing.T) {
				sites := realsites.For(t)
				r := newRunner(t, sites, start(sites), nil)
				r.plain = true
				if plain := fullRound(t, r); !slices.Equal(plain, shown) {
					t.Errorf("without a browser:\n  %s\nin the browser:\n  %s", strings.Join(plain, "\n  "), strings.Join(shown, "\n  "))
				}
			})
		})
	}
	t.Run("wordpress", func(t *testing.T) {
		sites := realsites.For(t)
		fullRound(t, newRunner(t, sites, sites.WordPress(realsites.Options{}), nil))
	})
}

// rounds are the sites whose drivers work in both engines.
var rounds = map[string]func(*realsites.Sites) *realsites.Site{
	"dokuwiki": func(s *realsites.Sites) *realsites.Site { return s.DokuWiki(realsites.Options{}) },
	"dokuwiki with a password by mail": func(s *realsites.Sites) *realsites.Site {
		return s.DokuWiki(realsites.Options{Language: "vi", MailedPassword: true})
	},
	"mediawiki": func(s *realsites.Sites) *realsites.Site { return s.MediaWiki(realsites.Options{}) },
	"mediawiki without confirmation": func(s *realsites.Sites) *realsites.Site {
		return s.MediaWiki(realsites.Options{Language: "vi", Unconfirmed: true})
	},
}

// fullRound returns every phase's outcome and what the site then holds, without
// the site's own address.
func fullRound(t *testing.T, r *runner) []string {
	t.Helper()
	site, name := r.site, r.task.Entity.Get(core.FieldUsername).Reveal()
	accounts := func() int {
		t.Helper()
		n, err := site.AccountCount(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := accounts(); n != 0 {
		t.Fatalf("%d accounts before the sign-up", n)
	}
	first := r.visit()
	r.done(first, core.Register)
	if r.driver.Manifest().Has(core.Confirm) {
		r.done(first, core.Confirm)
	}
	if n := accounts(); n != 1 || r.committed != 1 {
		t.Fatalf("%d accounts, %d commits", n, r.committed)
	}
	second := r.visit()
	r.done(second, core.Login)
	out := r.done(second, core.Profile)
	posts := len(saves(t, site))
	r.done(second, core.Profile)
	if all := saves(t, site); len(all) != posts {
		t.Errorf("a profile that was right was written again: %v", all[posts:])
	}
	want := []string{"notes", "engines & looms [draft 3] all of them.", "Second paragraph: 2 * 3 < 7 ''quoted''.", `href="https://ada.example/notes_1?a=b&c=d"`, `href="https://social.example/ada"`}
	lookAt(t, r, out, want)

	r.task.Kind = core.Connect
	r.task.Entity.Connect = []string{"https://wiki.example/User:Ada", "https://social.example/ada_2"}
	out = r.done(second, core.ConnectPhase)
	posts = len(saves(t, site))
	again := r.done(second, core.ConnectPhase)
	if all := saves(t, site); len(all) != posts {
		t.Errorf("links that were there were added again: %v", all[posts:])
	}
	page := lookAt(t, r, again, append(want, `href="https://wiki.example/User:Ada"`, `href="https://social.example/ada_2"`))
	for _, link := range []string{`href="https://wiki.example/User:Ada"`, `href="https://social.example/ada"`, `href="https://ada.example/notes_1?a=b&c=d"`} {
		if n := strings.Count(page, link); n != 1 {
			t.Errorf("%s is there %d times", link, n)
		}
	}
	if out.Facts[core.FactLinkProfile] != again.Facts[core.FactLinkProfile] {
		t.Errorf("link_profile is %s, then %s", out.Facts[core.FactLinkProfile], again.Facts[core.FactLinkProfile])
	}
	if n := accounts(); n != 1 {
		t.Errorf("%d accounts at the end", n)
	}
	// A second person is refused the name, in the site's words.
	other := r.as(core.FieldEmail, core.Text("other@mail.test"))
	if out, err := other.visit()(core.Register); err != nil || out.Status != core.Rejected {
		t.Errorf("a taken name: %+v %v", out, err)
	} else {
		t.Logf("a taken name: %s %s", out.Code, out.Reason)
	}
	stranger := r.as(core.FieldPassword, core.Secret("Not-this-one-77"))
	if out, err := stranger.visit()(core.Login); err != nil || out.Code != core.BadCredentials {
		t.Errorf("a wrong password: %+v %v", out, err)
	}
	if n := accounts(); n != 1 {
		t.Errorf("%d accounts after the refusals", n)
	}
	var all []string
	for _, o := range slices.Concat(r.outcomes, other.outcomes, stranger.outcomes) {
		all = append(all, strings.ReplaceAll(fmt.Sprintf("%+v", o), site.URL, "BASE"))
	}
	for _, post := range saves(t, site) {
		all = append(all, "POST "+tokens.ReplaceAllString(post, "TOKEN"))
	}
	return all
}

// tokens differ from sign-up to sign-up.
var tokens = regexp.MustCompile(`[0-9a-f]{16,}`)

// saves are the requests that may have written: what the software's own scripts
// send on every edit page is left out.
func saves(t *testing.T, site *realsites.Site) []string {
	t.Helper()
	posts, err := site.Posts()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(posts, func(path string) bool {
		return slices.ContainsFunc([]string{"/lib/exe/ajax.php", "/api.php", "/wp-admin/admin-ajax.php"}, func(p string) bool { return strings.HasPrefix(path, p) })
	})
}

// lookAt reads the profile as a stranger.
func lookAt(t *testing.T, r *runner, out core.Outcome, want []string) string {
	t.Helper()
	link := out.Facts[core.FactLinkProfile].Reveal()
	page, err := r.site.Get(t.Context(), link)
	if err != nil {
		t.Fatal(err)
	}
	text := html.UnescapeString(page.HTML)
	if page.Status != 200 {
		t.Fatalf("%s answers %d", link, page.Status)
	}
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%s lacks %q", link, w)
		}
	}
	if t.Failed() {
		at := max(strings.Index(text, "<main"), strings.Index(text, `id="content"`), 0)
		t.Log(text[at:min(at+4000, len(text))])
	}
	return text
}

func TestACaptchaWaitsForAPerson(t *testing.T) {
	sites := realsites.For(t)
	site := sites.MediaWiki(realsites.Options{Captcha: true, CaptchaLinks: true, Language: "vi"})
	r := newRunner(t, sites, site, nil)
	run := r.visit()
	out, err := run(core.Register)
	if err != nil || out.Status != core.Blocked || out.Code != core.Captcha {
		t.Fatalf("with nobody there: %+v %v", out, err)
	}
	n, err := site.AccountCount(t.Context(), "ada_l")
	if posts := saves(t, site); err != nil || n != 0 || r.committed != 0 || len(posts) != 0 {
		t.Fatalf("before an answer: %d accounts, %d commits, posts %v, %v", n, r.committed, posts, err)
	}
	if len(r.asked) != 1 || r.asked[0].Kind != core.AskAnswer || !strings.Contains(r.asked[0].Say, realsites.CaptchaQuestion) {
		t.Fatalf("a person was asked %+v", r.asked)
	}

	wrong := r.as(core.FieldEmail, core.Text("ada@mail.test"))
	wrong.answer = "hopper"
	if out, err := wrong.visit()(core.Register); err != nil || out.Status != core.Blocked || out.Code != core.Captcha {
		t.Errorf("a wrong answer: %+v %v", out, err)
	}

	r.answer = realsites.CaptchaAnswer
	r.done(run, core.Register)
	r.done(run, core.Confirm)
	out = r.done(run, core.Profile)
	if len(r.asked) != 3 {
		t.Errorf("a person was asked %d times, not for the sign-up twice and for the links once", len(r.asked))
	}
	if r.asked[0].posts != 0 {
		t.Errorf("%d requests were sent before the first question", r.asked[0].posts)
	}
	lookAt(t, r, out, []string{"notes", `href="https://ada.example/notes_1?a=b&c=d"`})
	if n, err := site.AccountCount(t.Context(), "ada_l"); err != nil || n != 1 {
		t.Errorf("%d accounts, %v", n, err)
	}
}
