// Command dokuwiki is the plugin twin of scripts/dokuwiki.lua: the same driver,
// line for line, in Go.
package main

import (
	"net/url"
	"regexp"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/text"
	"github.com/rollcall-run/rollcall/plugins"
	"github.com/rollcall-run/rollcall/plugins/browser"
	"github.com/rollcall-run/rollcall/plugins/outcome"
)

func main() { plugins.Serve(driver()) }

func driver() core.Driver {
	return browser.New(core.Manifest{
		API: core.ManifestAPI, Name: "dokuwiki-go", Version: "1.0.0", Family: true, Public: true,
		Summary: "DokuWiki accounts, with a user page for bio and links",
		Needs:   []string{"username", "email", "password"},
		Wants:   []string{"full_name", "about", "website"},
		Limits: map[string]core.Limit{
			"username": {Min: 2, Max: 40, Chars: "a-z0-9_.-", Lower: true},
			"password": {Min: 8, Classes: 2},
			"about":    {Max: 4000, Format: "dokuwiki"},
		},
		Options:     map[string]core.Option{"user_page": {Default: "user:", Help: "namespace of the user pages, with its colon"}},
		Permissions: []string{"secret_fields:[name=plugin__captcha]"},
	}, browser.Phases{
		core.Register: register, core.Confirm: confirm, core.Login: login, core.Profile: profile, core.ConnectPhase: connect,
	})
}

const (
	captcha = "[name=plugin__captcha]"
	refusal = "div.error"
	inside  = "a[href*='do=logout']"
)

var pictures = browser.Any(".g-recaptcha", ".h-captcha", ".cf-turnstile")

// ask has a person answer what the captcha plugin asks.
func ask(page *browser.Page) {
	if page.Exists(captcha) {
		page.Fill(captcha, page.Ask(core.Captcha, "Answer the question beside the box, or type the letters of the picture"))
	} else if page.Exists(pictures) {
		page.Human(core.Captcha, "Solve the captcha of the form, and send nothing")
	}
}

// notInside is what a refused sign-in means: wrong credentials, unless the site says otherwise.
func notInside(said string) core.Outcome {
	why := outcome.Refused(said, outcome.Words)
	if why.Code == core.RateLimited || why.Code == core.Banned || why.Code == core.Captcha {
		return why
	}
	return outcome.Rejected(core.BadCredentials, said)
}

func signIn(page *browser.Page, name, password core.Value) core.Outcome {
	seen, _ := page.Open("/doku.php?id=start&do=login", browser.Signs{"form": "#dw__login [name=p]", "inside": inside})
	if seen == "inside" {
		return outcome.Done()
	}
	page.Fill("#dw__login [name=u]", name)
	page.Fill("#dw__login [name=p]", password)
	seen, said := page.Click("#dw__login [type=submit]", browser.Signs{"inside": inside, "refused": refusal})
	if seen == "refused" {
		return notInside(said)
	}
	return outcome.Done()
}

func register(page *browser.Page, task browser.Task) core.Outcome {
	seen, said := page.Open("/doku.php?id=start&do=register", browser.Signs{"form": "#dw__register [name=login]", "closed": refusal})
	if seen == "closed" {
		return outcome.Rejected(core.Closed, said)
	}
	name := task.Get("full_name")
	if name.Empty() {
		name = task.Get("username")
	}
	page.Fields(
		browser.Field{Name: "username", At: "#dw__register [name=login]"},
		browser.Field{Name: "email", At: "#dw__register [name=email]"},
		browser.Field{Name: "full_name", At: "#dw__register [name=fullname]", Value: name},
	)
	own := page.Exists("#dw__register [name=pass]")
	if own {
		page.Fill("#dw__register [name=pass]", task.Get("password"))
		page.Fill("#dw__register [name=passchk]", task.Get("password"))
	}
	ask(page)
	seen, said = page.Commit("#dw__register [type=submit]", browser.Signs{"made": "div.success", "refused": refusal})
	if seen == "refused" {
		return outcome.Refused(said, outcome.Words)
	}
	if own {
		return outcome.Done()
	}
	return outcome.Done(core.Facts{"first_password": core.Text("by mail")})
}

// confirm exchanges a first password that came by mail for the task's own. A
// second entry finds it exchanged already.
func confirm(page *browser.Page, task browser.Task) core.Outcome {
	if task.Fact("first_password") != "by mail" {
		return login(page, task)
	}
	first := page.Mail(core.MailQuery{Code: `(?i)` + regexp.QuoteMeta(task.Get("username").Reveal()) + `\s+[^\s:]+\s*:\s*(\S+)`}).Code
	if signIn(page, task.Get("username"), first).Code == core.BadCredentials {
		return login(page, task)
	}
	page.Open("/doku.php?id=start&do=profile", browser.Signs{"form": "#dw__register [name=newpass]"})
	page.Fill("#dw__register [name=newpass]", task.Get("password"))
	page.Fill("#dw__register [name=passchk]", task.Get("password"))
	if page.Exists("#dw__register [name=oldpass]") {
		page.Fill("#dw__register [name=oldpass]", first)
	}
	seen, said := page.Click("#dw__register [type=submit]", browser.Signs{"changed": "div.success", "refused": refusal})
	if seen == "refused" {
		return outcome.Refused(said, outcome.Words)
	}
	return outcome.Done()
}

func login(page *browser.Page, task browser.Task) core.Outcome {
	return signIn(page, task.Get("username"), task.Get("password"))
}

// write adds what the user page lacks. It returns what went wrong, or nil, and how much was added.
func write(page *browser.Page, task browser.Task, parts []part) (*core.Outcome, int) {
	name := task.Setting("user_page") + task.Get("username").Reveal()
	id := url.QueryEscape(name)
	seen, _ := page.Open("/doku.php?do=edit&id="+id, browser.Signs{
		"form": "textarea[name=wikitext]:not([readonly])", "locked": "textarea[name=wikitext][readonly]", "refused": refusal, "signin": "#dw__login [name=p]"})
	if seen != "form" {
		wrong := outcome.Blocked(core.Contact, "the account may not edit the page "+name)
		return &wrong, 0
	}
	content, added := addTo(page.Attr("textarea[name=wikitext]", "value"), parts)
	if added == 0 { // gives the page's lock back
		page.Open("/doku.php?do=cancel&id="+id, browser.Signs{"shown": "a[href*='do=edit']"})
		return nil, 0
	}
	page.Fill("textarea[name=wikitext]", core.Text(content))
	ask(page)
	seen, said := page.Click("[name='do[save]']", browser.Signs{"saved": "a[href*='do=edit']", "refused": refusal})
	if seen == "refused" {
		wrong := outcome.Refused(said, outcome.Words)
		return &wrong, 0
	}
	return nil, added
}

func links(page *browser.Page, list []string) []part {
	var parts []part
	for _, link := range list {
		line, err := text.Links("dokuwiki", []string{link})
		page.Fail(err)
		parts = append(parts, part{url: link, add: line})
	}
	return parts
}

func profilePage(page *browser.Page, task browser.Task) core.Facts {
	return core.Facts{core.FactLinkProfile: core.Text(page.URL("/doku.php?id=" + task.Setting("user_page") + url.PathEscape(task.Get("username").Reveal())))}
}

func profile(page *browser.Page, task browser.Task) core.Outcome {
	parts := links(page, task.Links())
	if task.Has("about") {
		parts = append([]part{{add: task.Get("about").Reveal()}}, parts...)
	}
	wrong, added := write(page, task, parts)
	if wrong != nil {
		return *wrong
	}
	state := "kept"
	if added > 0 {
		state = "set"
	}
	for _, field := range []string{"about", "website"} {
		if task.Has(field) {
			page.Note(field, state)
		}
	}
	return outcome.Done(profilePage(page, task))
}

func connect(page *browser.Page, task browser.Task) core.Outcome {
	if wrong, _ := write(page, task, links(page, task.Connect())); wrong != nil {
		return *wrong
	}
	return outcome.Done(profilePage(page, task))
}
