package lua

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// family is a family driver around the phases in body; its first phase line is line 3.
func family(body string) Source {
	return Source{Name: "x", Path: "x.lua", Lib: nil, Text: []byte(`local driver = { api = 1, name = "x", version = "1.0.0", summary = "s", family = true,
  needs = { "username", "password" }, options = { path = { "/", "where" } }, hosts = { "*.cdn.example.org" } }
` + body + "\nreturn driver\n")}
}

func TestCheckFindsEachMistakeOnItsLine(t *testing.T) {
	for rule, tc := range map[string]struct {
		body string
		line int
		good string // the same without the mistake
	}{
		ruleLost: {
			"function driver.login(page, task)\n  page:click('#go')\n  page:open('/home')\n  return outcome.done()\nend", 4,
			"function driver.login(page, task)\n  page:click('#go', { home = 'url=/home' })\n  page:open('/home')\n  return outcome.done()\nend",
		},
		ruleMail: {
			"local function link() return mail.wait{ link = true }.link end\nfunction driver.register(page, task)\n  page:commit('#go', { ok = '#ok' })\n  page:open(link())\n  return outcome.done()\nend", 3,
			"local function link() return mail.wait{ link = true }.link end\nfunction driver.confirm(page, task)\n  page:open(link())\n  return outcome.done()\nend",
		},
		ruleIgnored: {
			"function driver.login(page, task)\n  local seen, said = page:click('#go', { ok = '#ok', refused = '.error' })\n  log(seen)\n  return outcome.done()\nend", 4,
			"function driver.login(page, task)\n  local seen, said = page:click('#go', { ok = '#ok', refused = '.error' })\n  if seen == 'refused' then return outcome.refused(said) end\n  return outcome.done()\nend",
		},
		ruleLabel: {
			"function driver.login(page, task)\n  page:fill('label=User name', task.username)\n  return outcome.done()\nend", 4,
			"function driver.login(page, task)\n  page:fill({ 'label=User name', 'label=Tên đăng nhập' }, task.username)\n  return outcome.done()\nend",
		},
		ruleCommit: {
			"function driver.register(page, task)\n  page:open('/')\n  return outcome.done()\nend", 3,
			"local function send(page) page:commit('#go', { ok = '#ok' }) end\nfunction driver.register(page, task)\n  send(page)\n  return outcome.done()\nend",
		},
		ruleHost: {
			"function driver.login(page, task)\n  page:open('https://elsewhere.example.net/login')\n  return outcome.done()\nend", 4,
			"function driver.login(page, task)\n  page:open('https://a.cdn.example.org/login')\n  return outcome.done()\nend",
		},
		ruleGlobal: {
			"function driver.login(page, task)\n  outcom.done()\nend", 4,
			"function driver.login(page, task)\n  for i, v in ipairs(task.links) do print(i, v) end\n  return outcome.done()\nend",
		},
		ruleEvasion: {
			"function driver.login(page, task)\n  page:open('/x?solver=2captcha')\n  return outcome.done()\nend", 4,
			"function driver.login(page, task)\n  page:human('captcha', 'solve it')\n  return outcome.done()\nend",
		},
		ruleField: {
			"function driver.login(page, task)\n  page:fill('#m', task.email)\n  return outcome.done()\nend", 4,
			"function driver.login(page, task)\n  page:fill('#m', task.username)\n  return outcome.done()\nend",
		},
		ruleVerb: {
			"function driver.login(page, task)\n  page:clik('#m')\n  return outcome.done()\nend", 4,
			"function driver.login(page, task)\n  page:click('#m', { ok = '#ok' })\n  return outcome.done()\nend",
		},
		ruleCommitElse: {
			"function driver.login(page, task)\n  page:commit('#m', { ok = '#ok' })\n  return outcome.done()\nend", 4,
			"function driver.register(page, task)\n  page:commit('#m', { ok = '#ok' })\n  return outcome.done()\nend",
		},
		ruleLink: {
			"function driver.profile(page, task)\n  return outcome.done()\nend", 4,
			"function driver.profile(page, task)\n  return outcome.done { link_profile = page:url('/me') }\nend",
		},
		ruleAbsent: {
			"function driver.login(page, task)\n  return outcome.absent()\nend", 4,
			"function driver.verify(page, task)\n  return outcome.absent()\nend",
		},
		ruleBrowser: {
			"driver.engine = { login = 'http' }\nfunction driver.login(page, task)\n  page:hover('#menu')\n  return outcome.done()\nend", 5,
			"driver.engine = { profile = 'http' }\nfunction driver.login(page, task)\n  page:hover('#menu')\n  return outcome.done()\nend",
		},
		ruleUnset: {
			"function driver.login(page, task)\n  page:open(task.options.pth)\n  return outcome.done()\nend", 4,
			"function driver.login(page, task)\n  page:open(task.options.path)\n  return outcome.done()\nend",
		},
	} {
		t.Run(rule, func(t *testing.T) {
			found, err := Check(family(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			if len(found) != 1 || found[0].Rule != rule || found[0].Line != tc.line || found[0].File != "x.lua" {
				t.Errorf("found %v, want %s on line %d", found, rule, tc.line)
			}
			if found, err := Check(family(tc.good)); err != nil || len(found) != 0 {
				t.Errorf("the mended driver: %v, %v", found, err)
			}
			if Rules[rule] == "" {
				t.Error("the rule has no description")
			}
		})
	}
}

func TestEveryRuleIsTested(t *testing.T) {
	// load and manifest have tests of their own.
	if len(Rules) != 15+2 {
		t.Errorf("%d rules are described; the table above has 15", len(Rules))
	}
}

func TestTheCheckedGlobalsAreThoseOfAState(t *testing.T) {
	h := testHost(t, "")
	if got := h.globalNames(); !slices.Equal(got, globalNames) {
		t.Errorf("a state has %v,\nthe check knows %v", got, globalNames)
	}
}

func TestCheckReportsAllThatIsWrongWithAManifest(t *testing.T) {
	src := Source{Name: "x", Path: "x.lua", Text: []byte(`return {
  api = 1, name = "x", version = "1", summary = "s",
  domains = { "Example.org" },
  famly = true,
  limits = { username = { maxx = 3 }, avatar = { kb = "2" } },
  login = function() return outcome.done() end,
  logn = function() end,
}`)}
	found, err := Check(src)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range found {
		got = append(got, fmt.Sprintf("%d %s", f.Line, f.Message))
	}
	all := strings.Join(got, "\n")
	for _, want := range []string{
		`2 version "1" must be three numbers`, `3 domains: "Example.org"`, `4 unknown key "famly" in the driver (did you mean "family"?)`,
		`5 unknown key "maxx" in limits.username (did you mean "max"?)`, `5 limits.avatar.kb must be a whole number`, `7 "logn" is no phase (did you mean "login"?)`,
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no finding %q in\n%s", want, all)
		}
	}
}
