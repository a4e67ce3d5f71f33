// Command rollcall-driver-garden is the smallest plugin driver: accounts on a
// site with three forms. It is a module of its own, as yours would be.
package main

import (
	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/plugins"
	"github.com/rollcall-run/rollcall/plugins/browser"
	"github.com/rollcall-run/rollcall/plugins/outcome"
)

func main() {
	plugins.Serve(browser.New(core.Manifest{
		API: core.ManifestAPI, Name: "garden", Version: "1.0.0", Summary: "accounts of garden.example",
		Domains: []string{"garden.example"}, Needs: []string{"username", "email", "password"}, Wants: []string{"about"}, Public: true,
	}, browser.Phases{core.Register: register, core.Login: login, core.Profile: profile}))
}

func register(page *browser.Page, task browser.Task) core.Outcome {
	page.Open("/join", browser.Signs{"form": "#join"})
	page.Fields(browser.Field{Name: "username", At: "#user"}, browser.Field{Name: "email", At: "#mail"})
	page.Fill("#pass", task.Get("password"))
	if seen, said := page.Commit("#join [type=submit]", browser.Signs{"in": "#account", "refused": ".error"}); seen == "refused" {
		return outcome.Refused(said, outcome.Words)
	}
	return outcome.Done()
}

func login(page *browser.Page, task browser.Task) core.Outcome {
	page.Open("/login", browser.Signs{"form": "#login"})
	page.Fill("#user", task.Get("username"))
	page.Fill("#pass", task.Get("password"))
	if seen, said := page.Click("#login [type=submit]", browser.Signs{"in": "#account", "refused": ".error"}); seen == "refused" {
		return outcome.Rejected(core.BadCredentials, said)
	}
	return outcome.Done()
}

func profile(page *browser.Page, task browser.Task) core.Outcome {
	page.Open("/profile", browser.Signs{"form": "#profile"})
	if page.Fields(browser.Field{Name: "about", At: "#about"}) > 0 {
		page.Click("#profile [type=submit]", browser.Signs{"saved": ".saved"})
	}
	return outcome.Done(core.Facts{core.FactLinkProfile: core.Text(page.URL("/u/" + task.Get("username").Reveal()))})
}
