// Package actor is the driver of the suite for hosts: it does what a task's
// option "do" says. It is written twice, in Go and in Lua, to one effect.
package actor

import (
	_ "embed" // the Lua twin
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/plugins/browser"
	"github.com/rollcall-run/rollcall/plugins/outcome"
)

// Lua is the driver's twin.
//
//go:embed actor.lua
var Lua []byte

// New returns the driver.
func New() core.Driver {
	return browser.New(core.Manifest{
		API: core.ManifestAPI, Name: "actor", Version: "1.0.0", Summary: "does what it is told", Family: true, Public: true,
		Needs: []string{"username", "password"},
		Options: map[string]core.Option{
			"do": {Default: "visit", Help: "what to do"}, "status": {Default: "", Help: "of the answer"}, "code": {Default: "", Help: "of the answer"},
			"to": {Default: "", Help: "where to go"},
		},
	}, browser.Phases{core.Register: act, core.Login: act, core.Verify: act})
}

func act(page *browser.Page, task browser.Task) core.Outcome {
	switch task.Setting("do") {
	case "answer":
		status, code := core.Status(task.Setting("status")), core.Code(task.Setting("code"))
		if status == core.Waiting {
			o := outcome.Waiting(code, "as told")
			o.After = 90 * time.Second
			return o
		}
		return core.Outcome{Status: status, Code: code, Reason: "as told"}
	case "where":
		return outcome.Done(core.Facts{"file": core.Text("")}) // a compiled driver has no lines to name
	case "facts":
		return outcome.Done(core.Facts{"seen": core.Text("seen " + task.Fact("given")), "given": core.Text("given")})
	case "await":
		page.Open("/", browser.Signs{"page": "h1"})
		page.Await(browser.Signs{"never": "#never", "timeout": "60s"})
	case "missing":
		page.Open("/", browser.Signs{"page": "h1"})
		page.Click("css=#twice", nil)
	case "panic":
		panic("the wizard fell over")
	case "go":
		page.Open(task.Setting("to"), browser.Signs{"page": "h1"})
	case "follow":
		page.Open("/", browser.Signs{"page": "h1"})
		page.Click("#away", browser.Signs{"page": "#elsewhere", "timeout": "3s"})
	case "two":
		page.Open("/", browser.Signs{"page": "h1"})
		page.Click("#show", browser.Signs{"one": "#one", "other": "#other"})
	case "commit":
		page.Open("/", browser.Signs{"page": "h1"})
		page.Commit("#send", browser.Signs{"sent": "#sent"})
	case "commit twice":
		page.Open("/", browser.Signs{"page": "h1"})
		page.Commit("#send", browser.Signs{"sent": "#sent"})
		page.Commit("#send", browser.Signs{"sent": "#sent"})
	case "secret":
		page.Open("/", browser.Signs{"page": "h1"})
		page.Fill("#pass", task.Get("password"))
		_, said := page.Click("#send", browser.Signs{"said": "#said"})
		page.Log("the site said " + said)
		return outcome.Rejected(core.BadCredentials, said)
	case "ask":
		page.Ask(core.OTPSMS, "which code?")
	default:
		page.Open("/", browser.Signs{"page": "h1"})
	}
	return outcome.Done()
}
