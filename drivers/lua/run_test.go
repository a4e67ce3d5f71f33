package lua

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/browser"
	"github.com/rollcall-run/rollcall/core/egress"
)

// machine is the browser and the proxy of all tests.
var machine struct {
	once sync.Once
	err  error
	b    *browser.Chromium
	p    *egress.Proxy
	dir  string
}

func TestMain(m *testing.M) {
	code := m.Run()
	if machine.b != nil {
		machine.b.Close()
		os.RemoveAll(machine.dir)
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// openSession opens a context of the shared browser that reaches base.
func openSession(ctx context.Context, base string) (core.Session, func(), error) {
	machine.once.Do(func() {
		if machine.dir, machine.err = os.MkdirTemp("", "rollcall-lua-"); machine.err != nil {
			return
		}
		if machine.err = os.Chmod(machine.dir, 0o755); machine.err != nil {
			return
		}
		if machine.p, machine.err = egress.New(egress.Options{}); machine.err != nil {
			return
		}
		machine.b, machine.err = browser.Launch(context.Background(), browser.Options{Headless: true, Sandbox: true, Dir: machine.dir})
	})
	if machine.err != nil {
		return core.Session{}, nil, machine.err
	}
	gate, err := machine.p.Open(ctx)
	if err != nil {
		return core.Session{}, nil, err
	}
	gate.Admit(core.EgressRules{Domain: "board.example.org", Base: base, Private: true})
	gate.Until(egress.Forever)
	c, err := machine.b.Context(ctx, gate.URL(), core.ContextOptions{Language: "en"})
	if err != nil {
		gate.Close()
		return core.Session{}, nil, err
	}
	return core.Session{ControlURL: c.ControlURL(), ContextID: c.ContextID(), TargetID: c.TargetID(), Proxy: gate.URL()},
		func() { c.Close(); gate.Close() }, nil
}

func testOptions() TestOptions {
	return TestOptions{Session: openSession, Files: os.DirFS(".")}
}

func TestTheTestsInADriversFilePassInChromium(t *testing.T) {
	for file, want := range map[string][2]int{"board.lua": {9, 1}, "verbs.lua": {5, 0}} {
		t.Run(file, func(t *testing.T) { passes(t, file, want[0], want[1]) })
	}
}

// passes runs the tests in a file, of which some are skipped.
func passes(t *testing.T, file string, tests, skips int) {
	src := read(t, file)
	if found, err := Check(src); err != nil || len(found) > 0 {
		t.Errorf("check found %v, %v", found, err)
	}
	d, err := Load(src)
	if err != nil {
		t.Fatal(err)
	}
	results, err := RunTests(t.Context(), d, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	skipped := 0
	for _, r := range results {
		if r.Skipped != "" {
			skipped++
			continue
		}
		if !r.Passed() {
			t.Errorf("%s:\n  %s\n  %s\n  log: %s", r.Test.Name, strings.Join(r.Failures, "\n  "), r.Paste, strings.Join(r.Log, "\n  "))
		}
	}
	if len(results) != tests || skipped != skips {
		t.Errorf("%d results, %d skipped", len(results), skipped)
	}
}

// one is a family driver with one login phase and one test.
func one(t *testing.T, body, test string) TestResult {
	t.Helper()
	src := Source{Name: "x", Path: "x.lua", Text: []byte(`return { api = 1, name = "x", version = "1.0.0", summary = "s", family = true, needs = { "username", "password" },
login = function(page, task)
` + body + `
end,
tests = { { "t", phase = "login", ` + test + ` } } }`)}
	d, err := Load(src)
	if err != nil {
		t.Fatal(err)
	}
	results, err := RunTests(t.Context(), d, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	return results[0]
}

func TestAFailingTestSaysWhatToPasteAndWhichRouteIsMissing(t *testing.T) {
	r := one(t, `page:open("/") page:open("/absent?x=1", { any = "text=*not listed*" }) return outcome.rejected("banned", "go away")`,
		`site = { ["GET /"] = "<p>home" }, want = { status = "done" }`)
	all := strings.Join(r.Failures, "\n")
	if !strings.Contains(all, "GET /absent?x=1 was asked for and is not listed in site") || !strings.Contains(all, `status is "rejected (banned): go away", wanted "done"`) {
		t.Errorf("failures are %s", all)
	}
	if r.Paste != `want = { status = "rejected", code = "banned" }` {
		t.Errorf("paste is %s", r.Paste)
	}
}

func TestABrokenPhaseNamesItsLineAndUnwindsThroughCallbacks(t *testing.T) {
	r := one(t, `page:open("/")
  local names = { "b", "a" }
  table.sort(names, function(a, b)
    string.gsub("x", "x", function() page:url("https://elsewhere.example.net/") end)
    return a < b
  end)
  return outcome.done()`, `site = { ["GET /"] = "<p>home" }, want = { status = "done" }`)
	if len(r.Failures) != 1 || !strings.HasPrefix(r.Failures[0], "x.lua:6 url(https://elsewhere.example.net/): ") {
		t.Errorf("failures are %v", r.Failures)
	}
}

func TestASecretCanBeTypedAndNotRead(t *testing.T) {
	site := `site = { ["GET /"] = "<form><input id=p type=password name=p></form><p id=echo>your password is {password}" }, want = { status = "done" }`
	r := one(t, `page:open("/")
  page:fill("#p", task.password)
  log("the site said", { said = page:text("#echo"), handle = tostring(task.password) })
  return outcome.done { note = page:text("#echo") }`, site)
	if !r.Passed() {
		t.Fatalf("failures are %v", r.Failures)
	}
	if all := strings.Join(r.Log, "\n"); strings.Contains(all, "Correct-Horse-42") || !strings.Contains(all, "your password is •••") {
		t.Errorf("log is %s", all)
	}
	for body, want := range map[string]string{
		`return outcome.done { note = "p " .. task.password }`:                                           "a secret can't be part of a text",
		`return outcome.done { note = string.format("%s", task.password) }`:                              "a secret can't be part of a text",
		`return outcome.done { note = table.concat({ task.password }) }`:                                 "a secret can't be part of a text",
		`return outcome.done { note = tostring(#task.password) }`:                                        "can only be passed to a verb",
		`if task.password == task.password then end return task.password < task.password`:                "can't be compared",
		`return task.password:sub(1, 1)`:                                                                 "has no fields",
		`return outcome.done { note = text.url(task.password) }`:                                         "a secret can't be part of a text",
		`page:open("/") local t = { [task.password] = 1 } for k in pairs(t) do page:choose("#p", k) end`: "must be a text, not a secret",
	} {
		r := one(t, body, site)
		if len(r.Failures) != 1 || !strings.Contains(r.Failures[0], want) {
			t.Errorf("%s: %v, want %q", body, r.Failures, want)
		}
	}
}

func TestWhatAPhaseMayNotReturn(t *testing.T) {
	for body, want := range map[string]string{
		`return`:                           "login returned nil",
		`return "done"`:                    "login returned a text",
		`return outcome.absent("no")`:      "outcome.absent is for verify",
		`return outcome.rejected("taken")`: "no code of it; known are already_exists",
		`return outcome.waiting("pending", { aftr = "1m" })`: `no setting "aftr" (did you mean "after"?)`,
		`outcome.done().status = "x"`:                        "an outcome is read-only",
		`return task.emial`:                                  `task has no field "emial" (did you mean "email"?)`,
		`return task.email`:                                  `the field "email" is not declared`,
		`return task.pass_mail`:                              "never reaches a driver",
		`task.username = "x"`:                                "task is read-only",
		`task.links[1] = "x"`:                                "task.links is read-only",
		`table.insert(task.links, "x")`:                      "the table is read-only",
		`page:clik("#x")`:                                    `the page has no verb "clik" (did you mean "click"?)`,
		`page.open("/")`:                                     "called with a colon",
		`page:fill("#x", nil)`:                               "a value must be a text or a secret, not nil",
		`page:commit("#x", { ok = "#ok" })`:                  "commit is for register only",
		`x = 1`:                                              "x is assigned but not local",
		`local x; return x.y`:                                "attempt to index",
		`return ("x"):nope()`:                                "attempt to call",
		`local function f() return f() + 1 end return f()`:   "calls within calls",
		`error("the form has changed")`:                      "the form has changed",
		`assert(false, "not signed in")`:                     "not signed in",
		`pcall(error)`:                                       "pcall does not exist here",
		`return mial.wait{}`:                                 `the global "mial" is not defined (did you mean "mail"?)`,
	} {
		_, err := phase(t, body)
		var f *core.Fault
		if !errors.As(err, &f) || f.Code != core.DriverError || f.Phase != core.Login || f.Place != "x.lua:3" && !strings.HasPrefix(f.Why, "login returned") || !strings.Contains(f.Why, want) {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
}

func TestAPhaseThatNeverEndsEndsWithItsContext(t *testing.T) {
	d, err := Load(Source{Name: "x", Text: []byte(`return { api = 1, name = "x", version = "1.0.0", summary = "s", family = true, login = function() while true do end end }`)})
	if err != nil {
		t.Fatal(err)
	}
	s, release, err := openSession(t.Context(), "http://127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	s.Base, s.Services = "http://127.0.0.1:9", &testServices{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = (&run{ctx: ctx, driver: d, phase: core.Login, redact: &redactor{}, session: s}).with(nil)
	var f *core.Fault
	if !errors.As(err, &f) || f.Code != core.Cancelled {
		t.Errorf("got %v", err)
	}
	if _, err := d.Run(t.Context(), core.Profile, core.Task{}, s); !errors.Is(err, core.ErrNoPhase) {
		t.Errorf("a phase it does not have: %v", err)
	}
}

func TestWhatEndsACommitsActionEndsThePhase(t *testing.T) {
	for action, want := range map[string]string{
		`page:human("captcha", "solve it") page:click("#go")`: "blocked captcha",
		`error("the box is gone")`:                            "x.lua:4 the box is gone",
	} {
		d, err := Load(Source{Name: "x", Path: "x.lua", Text: []byte(`return { api = 1, name = "x", version = "1.0.0", summary = "s", family = true,
register = function(page)
  page:open("/")
  page:commit(function() ` + action + ` end, { ok = "#ok" })
  return outcome.done()
end,
tests = { { "t", phase = "register", site = { ["GET /"] = "<button id=go>Go" }, want = { status = "blocked", code = "captcha" } } } }`)})
		if err != nil {
			t.Fatal(err)
		}
		results, err := RunTests(t.Context(), d, testOptions())
		if err != nil {
			t.Fatal(err)
		}
		r := results[0]
		got := strings.Join(r.Failures, "\n")
		if r.Passed() {
			got = "blocked captcha"
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", action, got, want)
		}
	}
}

// TestADriverIsTestedInItsEngine runs the same driver with and without a browser.
func TestADriverIsTestedInItsEngine(t *testing.T) {
	const body = `
function driver.login(page, task)
  page:open("/login")
  page:fill("#user", task.username)
  page:fill("[type=password]", task.password)
  local seen = page:click("#go", { inside = "#bye", refused = ".error" })
  return outcome.done { note = page:exists("#scripted") and "a script ran" or "plain" }
end
driver.tests = { { "signs in", phase = "login",
  site = { ["GET /login"] = "<form method=post><input id=user name=u><input type=password name=p><input type=hidden name=csrf value=t1><button id=go>Go</button></form>",
    ["POST /login"] = "<a id=bye href=/bye>Sign out</a><script>document.body.insertAdjacentHTML('beforeend', '<p id=scripted>yes</p>')</script>" },
  want = { status = "done", facts = { note = %q }, sent = { ["POST /login"] = { u = "{username}", p = "{password}", csrf = "t1" } } } } }`
	for engine, note := range map[string]string{`"http"`: "plain", `"browser"`: "a script ran", `{ login = "http" }`: "plain", `{ register = "http" }`: "a script ran"} {
		t.Run(engine, func(t *testing.T) {
			d, err := Load(family("driver.engine = " + engine + fmt.Sprintf(body, note)))
			if err != nil {
				t.Fatal(err)
			}
			results, err := RunTests(t.Context(), d, testOptions())
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range results {
				if !r.Passed() {
					t.Errorf("%s: %v %v", r.Test.Name, r.Failures, r.Log)
				}
			}
		})
	}
}
