// Command rod enrols a job's people with go-rod, as a program that uses it would.
package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/launcher"
	"github.com/go-rod/rod/lib/proto"

	"github.com/rollcall-run/rollcall/examples/bench/job"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "rod:", err)
		os.Exit(1)
	}
}

func run() error {
	j, err := job.Read(os.Stdin)
	if err != nil {
		return err
	}
	l := launcher.New().Bin(j.Browser).NoSandbox(!j.Sandbox)
	defer l.Cleanup()
	address, err := l.Launch()
	if err != nil {
		return err
	}
	browser := rod.New().ControlURL(address)
	if err := browser.Connect(); err != nil {
		return err
	}
	defer browser.MustClose()
	return j.Each(func(t job.Task) error {
		return rod.Try(func() { enrol(browser, j.URL, t) })
	})
}

func enrol(browser *rod.Browser, site string, t job.Task) {
	context := browser.MustIncognito()
	defer context.MustClose()

	page := context.MustPage(site + "/register").Timeout(time.Minute)
	page.MustElement("#username").MustInput(t.Username)
	page.MustElement("#email").MustInput(t.Email)
	page.MustElement("#full_name").MustInput(t.FullName)
	page.MustElement("#location").MustInput(t.Location)
	page.MustElement("#password").MustInput(t.Password)
	page.MustElement("#password_repeat").MustInput(t.Password)
	submit(page, "#register button")

	page.MustNavigate(site + "/settings/profile")
	page.MustElement("#bio").MustInput(t.Bio)
	page.MustElement("#website").MustInput(t.Website)
	page.MustElement("#signature").MustInput(t.Signature)
	page.MustElement("#avatar").MustSetFiles(t.Avatar)
	submit(page, "#profile button")
	page.MustElement(".notice")

	link := page.MustElement(`header a[href^="/u/"]`).MustProperty("href").String()
	page.MustNavigate(link)
	if bio := page.MustElement(".bio").MustText(); !strings.Contains(bio, t.Bio) {
		panic(fmt.Errorf("%s shows the bio %q", link, bio))
	}
	page.MustElement(`a[href="` + t.Website + `"]`)
}

// submit clicks and returns when the page that follows has loaded.
func submit(page *rod.Page, button string) {
	wait := page.WaitEvent(&proto.PageFrameNavigated{})
	page.MustElement(button).MustClick()
	wait()
	page.MustWaitLoad()
}
