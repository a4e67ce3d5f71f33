// Command chromedp enrols a job's people with chromedp, as a program that uses it would.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/chromedp/chromedp"

	"github.com/rollcall-run/rollcall/examples/bench/job"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "chromedp:", err)
		os.Exit(1)
	}
}

func run() error {
	j, err := job.Read(os.Stdin)
	if err != nil {
		return err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(j.Browser))
	if !j.Sandbox {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	defer stop()
	browser, quit := chromedp.NewContext(allocator)
	defer quit()
	if err := chromedp.Do(browser); err != nil { // starts it
		return err
	}
	return j.Each(func(t job.Task) error { return enrol(browser, j.URL, t) })
}

func enrol(browser context.Context, site string, t job.Task) error {
	ctx, done := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	defer done()

	type css = chromedp.CSS
	if err := chromedp.Do(ctx,
		chromedp.Navigate(site+"/register"),
		chromedp.SendKeys(css("#username"), t.Username),
		chromedp.SendKeys(css("#email"), t.Email),
		chromedp.SendKeys(css("#full_name"), t.FullName),
		chromedp.SendKeys(css("#location"), t.Location),
		chromedp.SendKeys(css("#password"), t.Password),
		chromedp.SendKeys(css("#password_repeat"), t.Password),
		chromedp.Click(css("#register button")),
		chromedp.WaitVisible(css(`header a[href="/settings/profile"]`)),

		chromedp.Navigate(site+"/settings/profile"),
		chromedp.SendKeys(css("#bio"), t.Bio),
		chromedp.SendKeys(css("#website"), t.Website),
		chromedp.SendKeys(css("#signature"), t.Signature),
		chromedp.SetUploadFiles(css("#avatar"), []string{t.Avatar}),
		chromedp.Click(css("#profile button")),
		chromedp.WaitVisible(css(".notice")),
	); err != nil {
		return err
	}
	link, err := chromedp.Run(ctx, chromedp.AttributeValue(css(`header a[href^="/u/"]`), "href"))
	if err != nil {
		return err
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(site+link.Value)); err != nil {
		return err
	}
	bio, err := chromedp.Run(ctx, chromedp.Text(css(".bio")))
	if err != nil {
		return err
	}
	if !strings.Contains(bio, t.Bio) {
		return fmt.Errorf("%s shows the bio %q", link.Value, bio)
	}
	_, err = chromedp.Run(ctx, chromedp.AttributeValue(css(`a[href="`+t.Website+`"]`), "href"))
	return err
}
