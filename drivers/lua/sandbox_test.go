package lua

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/page"
)

// head is the manifest of the corpus; %s is what the file does before it returns.
const head = `%s
return { api = 1, name = "x", version = "1.0.0", summary = "s", family = true, login = function() return outcome.done() end }`

// TestHostileSourceIsRefusedQuickly loads each script in this very process:
// time and memory of every load are bounded.
func TestHostileSourceIsRefusedQuickly(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"syntax error":           {"local x = = 1", "t.lua:1: syntax error near \"=\""},
		"unfinished":             {"local x = {", "the file ends too early"},
		"100 kB":                 {"--" + strings.Repeat("x", 100<<10), "the source has"},
		"bidi":                   {"local a = 1\n-- \u202e evil", "t.lua:2: invisible character U+202E"},
		"zero width":             {"local a\u200bb = 1", "t.lua:1: invisible character U+200B"},
		"variation selector":     {"local a = 'x\ufe0f'", "invisible character U+FE0F"},
		"tag characters":         {"local a = 'x\U000e0041'", "invisible character U+E0041"},
		"byte order mark":        {"\ufeffreturn {}", "invisible character U+FEFF"},
		"latin-1":                {"local a = 'caf\xe9'", "not valid UTF-8"},
		"NUL":                    {"local a = '\x00'", "invisible character U+0000"},
		"9k nested do":           {strings.Repeat("do ", 9000) + strings.Repeat("end ", 9000), "nested deeper than 100"},
		"deep braces":            {"local t = " + strings.Repeat("{", 30000), "nested deeper than 100"},
		"deep brackets in text":  {fmt.Sprintf(head, "local t = '"+strings.Repeat("{", 3000)+"' --[[ "+strings.Repeat("(", 3000)+" ]]"), ""},
		"long not chain":         {"return " + strings.Repeat("not ", 16000) + "1", "nested deeper than 250"},
		"long minus chain":       {"return " + strings.Repeat("- ", 30000) + "1", "nested deeper than 250"},
		"long sum":               {"return 1" + strings.Repeat("+1", 30000), "nested deeper than 250"},
		"long concat":            {"return 'a'" + strings.Repeat("..'a'", 12000), "use table.concat"},
		"long power":             {"return 1" + strings.Repeat("^1", 30000), "nested deeper than 250"},
		"long index chain":       {"return a" + strings.Repeat(".a", 30000), "nested deeper than 250"},
		"long call chain":        {"f" + strings.Repeat("()", 30000), "nested deeper than 250"},
		"many elseif":            {"if a then " + strings.Repeat("elseif a then ", 4000) + "end", "nested deeper than 250"},
		"many locals":            {strings.Repeat("local a ", 8000), "too many local variables"},
		"endless loop":           {fmt.Sprintf(head, "while true do end"), "loading takes more than 100000 steps"},
		"endless recursion":      {fmt.Sprintf(head, "local function f() return 1 + f() end f()"), "calls within calls"},
		"ever more arguments":    {fmt.Sprintf(head, "local function f(...)\n  return f(1, 2, 3, 4, 5, 6, 7, 8, ...)\nend\n\nf()"), "t.lua:1: more than 16384 values at once"},
		"arguments in calls":     {fmt.Sprintf(head, "local t = {} for i = 1, 240 do t[i] = i end\nlocal function f()\n  local a = { unpack(t) }\n  return f(unpack(a)), unpack(t)\nend f()"), "calls within calls"},
		"doubling":               {fmt.Sprintf(head, "local s = 'x' for i = 1, 60 do s = s .. s end"), "would make a text of"},
		"rep":                    {fmt.Sprintf(head, "local s = ('x'):rep(40 * 1024 * 1024 * 1024)"), "would make a text of"},
		"rep of nothing":         {fmt.Sprintf(head, "local s = (''):rep(1e18)"), ""},
		"rep of NaN":             {fmt.Sprintf(head, "local s = ('x'):rep(0/0)"), ""},
		"many reps":              {fmt.Sprintf(head, "local t = {} for i = 1, 1000 do t[i] = ('x'):rep(1e6) end"), "loading makes more than"},
		"gsub bomb":              {fmt.Sprintf(head, "local s = ('x'):rep(1000):gsub('x', ('y'):rep(100000))"), "would make a text of"},
		"backtracking":           {fmt.Sprintf(head, "local s = ('a'):rep(3000):match('(.-)(.-)(.-)(.-)b')"), "this costly"},
		"huge format":            {fmt.Sprintf(head, "local s = ('%999999999d'):format(1)"), "string.format"},
		"huge precision":         {fmt.Sprintf(head, "local s = ('%.999d'):format(1)"), "above 99"},
		"table at 2^26":          {fmt.Sprintf(head, "local t = {} t[67108862] = 1"), ""},
		"table.insert far":       {fmt.Sprintf(head, "local t = {} table.insert(t, 1e9, 1)"), "outside 1"},
		"unpack far":             {fmt.Sprintf(head, "local t = {} unpack(t, 1, 1e9)"), "at most 250"},
		"string metatable":       {fmt.Sprintf(head, "getmetatable('').__index = function() end"), "getmetatable does not exist here"},
		"string library":         {fmt.Sprintf(head, "string.rep = nil"), "string is read-only"},
		"string through text":    {fmt.Sprintf(head, "('').rep = 1"), "a constant has no fields"},
		"a number's field":       {fmt.Sprintf(head, "local t = {} (1).x = 1"), "a constant has no fields"},
		"nothing's field":        {fmt.Sprintf(head, "local t = {} ((nil)).x, t.y = 1, 2"), "a constant has no fields"},
		"os":                     {fmt.Sprintf(head, "os.exit(1)"), "os does not exist here"},
		"io":                     {fmt.Sprintf(head, "io.open('/etc/passwd')"), "io does not exist here"},
		"loadstring":             {fmt.Sprintf(head, "loadstring('x = 1')()"), "loadstring does not exist here"},
		"the concat of the host": {fmt.Sprintf(head, "local a = 'x' .. {}"), "a table can't be part of a text"},
		"require elsewhere":      {"local x = require 'os'", "only lib.* can be required"},
		"computed require":       {"local x = require('lib.' .. 'x')", "one name in quotes"},
		"aliased require":        {fmt.Sprintf(head, "local r = require r('lib.words')"), "only lib files named in quotes"},
		"absent lib":             {"local x = require 'lib.absent'", "there is no lib/absent.lua"},
		"effects while loading":  {fmt.Sprintf(head, "mail.wait { link = true }"), "loading has no effect"},
		"print while loading":    {fmt.Sprintf(head, "print('x')"), "loading has no effect"},
		"returns nothing":        {"local x = 1", "it returns nil"},
		"returns a lib":          {"return string", "it returns a table"},
		"newer api":              {"return { api = 2, name = 'x' }", "needs script API 2, this rollcall has 1"},
		"an unknown engine":      {strings.Replace(fmt.Sprintf(head, ""), "family = true", "family = true, engine = 'curl'", 1), `engine must be "browser" or "http", not "curl"`},
		"an engine of no phase":  {strings.Replace(fmt.Sprintf(head, ""), "family = true", "family = true, engine = { signin = 'http' }", 1), `unknown key "signin"`},
		"error with a table":     {fmt.Sprintf(head, "error({})"), "table"},
		"cyclic manifest":        {"local d = { api = 1 } d.limits = d d.tests = d return d", "unknown key"},
		"infinite limit":         {strings.Replace(fmt.Sprintf(head, ""), "family = true", "family = true, limits = { username = { max = 1/0 } }", 1), "must be a whole number"},
		"NaN limit":              {strings.Replace(fmt.Sprintf(head, ""), "family = true", "family = true, limits = { username = { max = 0/0 } }", 1), "must be a whole number"},
		"nil key":                {fmt.Sprintf(head, "local t = {} t[nil] = 1"), "table index"},
		"next of a wrong key":    {fmt.Sprintf(head, "next({}, 'x')"), ""},
		"find beyond the end":    {fmt.Sprintf(head, "local a = ('abc'):find('c', 10, true)"), ""},
		"sort without order":     {fmt.Sprintf(head, "table.sort({ 1, 'a', {} })"), "no order"},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, err := Load(Source{Name: "", Path: "t.lua", Text: []byte(tc.text)})
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			var le *LoadError
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("got %v", err)
			case tc.want != "" && (!errors.As(err, &le) || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("got %v, want %q", err, tc.want)
			case tc.want != "" && (strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), "t.lua")):
				t.Errorf("not one line with its file: %q", err)
			}
			if took > 5*time.Second {
				t.Errorf("took %s", took)
			}
			if made := after.TotalAlloc - before.TotalAlloc; made > 150<<20 {
				t.Errorf("allocated %d MB", made>>20)
			}
		})
	}
}

// noPage is a page for phases that touch none.
type noPage struct{ page.Verbs }

func (noPage) Results() map[string]string { return nil }

type quiet struct{ core.Services }

func (quiet) Log(context.Context, slog.Level, string, ...any) {}

// phase runs body as login without a browser.
func phase(t testing.TB, body string) (core.Outcome, error) {
	t.Helper()
	d, err := Load(Source{Name: "x", Path: "x.lua", Text: []byte(`return { api = 1, name = "x", version = "1.0.0", summary = "s", family = true,
needs = { "username", "password" }, wants = { "full_name", "about", "avatar", "birthday" }, options = { n = { 3, "x" } }, login = function(page, task)
` + body + "\nend }")})
	if err != nil {
		t.Fatal(err)
	}
	task := d.testTask(Test{Phase: core.Login, Task: map[string]any{
		"birthday": false, "language": "vi-VN", "extra": map[string]any{"a": []any{1.0, map[string]any{"b": "c"}}}, "social": []any{"https://x.com/jane", "https://facebook.com/jane"},
	}})
	r := &run{ctx: t.Context(), driver: d, phase: core.Login, task: task, session: core.Session{Services: quiet{}}, redact: &redactor{}}
	r.redact.Add(task.Entity.Secrets()...)
	return r.with(noPage{})
}

func TestTheLanguageDoesWhatLuaDoes(t *testing.T) {
	for expr, want := range map[string]string{
		`("abc"):upper() .. 1 .. 2.5`:                                  "ABC12.5",
		`("x"):rep(3)`:                                                 "xxx",
		`("hello world"):gsub("o", "0")`:                               "hell0 w0rld",
		`("hello"):gsub("l", { l = "L" })`:                             "heLLo",
		`("abc"):gsub("%w", "%0%0")`:                                   "aabbcc",
		`("abc"):gsub("(a)(b)", "%2%1")`:                               "bac",
		`("abc"):gsub("b", function(c) return nil end)`:                "abc",
		`("abc"):gsub("", "-")`:                                        "-a-b-c-",
		`("key=val"):match("(%w+)=(%w+)")`:                             "key",
		`select(2, ("key=val"):match("(%w+)=(%w+)"))`:                  "val",
		`("abcdef"):sub(-3, -2)`:                                       "de",
		`("abcdef"):sub(3)`:                                            "cdef",
		`("abcdef"):sub(10)`:                                           "",
		`("abc"):find("b", 1, true)`:                                   "2",
		`("abc"):reverse()`:                                            "cba",
		`("%5.2f|%-4s|%d|%x|%q|%%"):format(3.14159, "a", 7, 255, "q")`: ` 3.14|a   |7|ff|"q"|%`,
		`table.concat({ 1, 2, 3 }, ",", 2)`:                            "2,3",
		`(function() local t = { 3, 1, 2 } table.sort(t) return table.concat(t) end)()`:                                  "123",
		`(function() local t = { 3, 1, 2 } table.sort(t, function(a, b) return a > b end) return table.concat(t) end)()`: "321",
		`(function() local n = 0 for k, v in pairs(task.options) do n = n + v end return n end)()`:                       "3",
		`(function() local s = "" for i, v in ipairs(task.links) do s = s .. i .. v end return s end)()`:                 "1https://ada.example.org/2https://x.com/jane3https://facebook.com/jane",
		`#task.links`:                 "3",
		`(unpack({ "a", "b" }))`:      "a",
		`#{ "a", b = ("x"):upper() }`: "1",
		`(function(...) return #{ "a", b = ... } end)("x", "y")`: "1",
		`#{ "a", ("x"):gsub("x", "y") }`:                         "3",
		`tonumber("0x10", 16) or "none"`:                         "none",
		`tonumber(" 12 ")`:                                       "12",
		`tonumber("ff", 16)`:                                     "255",
		`math.floor(2.7) + math.max(1, 5)`:                       "7",
		`tostring(nil) .. tostring(true)`:                        "niltrue",
		`type(task.password)`:                                    "userdata",
		`tostring(task.password)`:                                "•••",
		`task.full_name`:                                         "Lovelace Ada",
		`task.about`:                                             "I write notes on engines.",
		`tostring(task.birthday)`:                                "nil",
		`task.social.x`:                                          "https://x.com/jane",
		`tostring(task.social.linkedin)`:                         "nil",
		`task.extra.a[2].b`:                                      "c",
		`task.options.n`:                                         "3",
		`outcome.rejected("banned", "x").code`:                   "banned",
		`tostring(outcome.done())`:                               "done",
		`text.slug("Đặng Văn A")`:                                "dang-van-a",
		`text.url("a b/c")`:                                      "a%20b%2Fc",
		`text.handle("https://x.com/jane")`:                      "jane",
		`text.fit("one two three", 8)`:                           "one two…",
		`text.to("bbcode", "<b>x</b>")`:                          "[b]x[/b]",
		`tostring(text.has("Tên đã TỒN TẠI", { "đã tồn tại" }))`: "true",
	} {
		out, err := phase(t, "local v = "+expr+" return outcome.done { note = tostring(v) }")
		if err != nil {
			t.Errorf("%s: %v", expr, err)
		} else if got := out.Facts["note"].Reveal(); got != want {
			t.Errorf("%s is %q, want %q", expr, got, want)
		}
	}
}

func TestRefusedKnowsWhatSitesSay(t *testing.T) {
	d, err := Load(Source{Name: "x", Text: []byte(`local words = require "lib.words"
return { api = 1, name = "x", version = "1.0.0", summary = "s", family = true, options = { said = { "", "x" } },
login = function(page, task) return outcome.refused(task.options.said, { { code = "banned", "go elsewhere" }, words }) end }`), Lib: libDir(t).Lib})
	if err != nil {
		t.Fatal(err)
	}
	for said, want := range map[string]string{
		"Please GO elsewhere.": "rejected banned ",
		"Username entered already in use. Please choose a different name.":       "rejected already_exists username",
		"Error: This username is already registered. Please choose another one.": "rejected already_exists username",
		"Error: This email address is already registered.":                       "rejected already_exists email",
		"Tên đăng nhập đã tồn tại":                                               "rejected already_exists username",
		"Email đã được sử dụng":                                                  "rejected already_exists email",
		"Passwords must be at least 10 characters.":                              "rejected invalid_input password",
		"Mật khẩu phải có ít nhất 8 ký tự":                                       "rejected invalid_input password",
		"Incorrect or missing CAPTCHA.":                                          "blocked captcha ",
		"Mã xác nhận không đúng":                                                 "blocked captcha ",
		"You have made too many recent login attempts. Please wait 5 minutes":    "waiting rate_limited ",
		"User registration is currently not allowed.":                            "rejected closed ",
		"Incorrect username or password entered. Please try again.":              "rejected bad_credentials ",
		"Please enter a valid email address.":                                    "rejected invalid_input email",
		"You must agree to the colour of the page.":                              "rejected invalid_input ",
	} {
		r := &run{ctx: t.Context(), driver: d, phase: core.Login, task: core.Task{Options: map[string]any{"said": said}}, session: core.Session{Services: quiet{}}, redact: &redactor{}}
		out, err := r.with(noPage{})
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%s %s %s", out.Status, out.Code, out.Field); got != want {
			t.Errorf("%q: %s, want %s", said, got, want)
		}
		if out.Reason != said {
			t.Errorf("%q became %q", said, out.Reason)
		}
	}
}

func TestASecretIsNeverReported(t *testing.T) {
	for _, name := range []string{"username", "email", "note"} {
		for _, done := range []string{name + " = task.password", "facts = { " + name + " = task.password }"} {
			_, err := phase(t, "return outcome.done { "+done+" }")
			if err == nil || !strings.Contains(err.Error(), name+" is reported as it is and can't be a secret") {
				t.Errorf("%s: got %v", done, err)
			}
		}
	}
	out, err := phase(t, "return outcome.done { facts = { password = task.password, mine = task.password } }")
	if err != nil || !out.Facts["password"].IsSecret() || !out.Facts["mine"].IsSecret() {
		t.Errorf("a secret can't be kept as a fact: %v", err)
	}
}

func TestRunsShareNothing(t *testing.T) {
	src := Source{Name: "x", Text: []byte(`local seen = {}
return { api = 1, name = "x", version = "1.0.0", summary = "s", family = true,
login = function() seen[#seen + 1] = 1 return outcome.done { note = tostring(#seen) } end }`)}
	d, err := Load(src)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan string)
	for range 8 {
		go func() {
			r := &run{ctx: context.Background(), driver: d, phase: core.Login, session: core.Session{Services: quiet{}}, redact: &redactor{}}
			out, err := r.with(noPage{})
			done <- fmt.Sprint(out.Facts["note"].Reveal(), err)
		}()
	}
	for range 8 {
		if got := <-done; got != "1<nil>" {
			t.Errorf("a run saw %s", got)
		}
	}
}

func TestRedactionFindsASecretInEveryEncoding(t *testing.T) {
	r := &redactor{}
	secret := `p&ss "w<rd/1`
	r.Add(core.Secret(secret), core.Secret("abc"))
	for _, form := range encodings(secret) {
		if got := r.Redact("x " + form + " y"); got != "x ••• y" {
			t.Errorf("%q became %q", form, got)
		}
	}
	r.Add(core.Secret(strings.Repeat("a mail ", 100_000)))
	if len(r.known) != 1 {
		t.Error("a whole mail is searched for in every text")
	}
	if got := r.Redact("abc"); got != "abc" {
		t.Errorf("a short secret blots out %q", got)
	}
}

func BenchmarkRun(b *testing.B) {
	if _, err := Load(read(b, "model.lua")); err == nil {
		b.Fatal("the model's file has another name; it must be given")
	}
	src := read(b, "model.lua")
	src.Name = "wordpress"
	d, err := Load(src)
	if err != nil {
		b.Fatal(err)
	}
	r := &run{ctx: b.Context(), driver: d, phase: core.Login, session: core.Session{Services: quiet{}}, redact: &redactor{}}
	b.ReportAllocs()
	for b.Loop() {
		h := newHost(r.ctx, d.prog)
		h.loading = true
		if _, err := h.chunk(); err != nil {
			b.Fatal(err)
		}
		h.close()
	}
}

func BenchmarkLoad(b *testing.B) {
	src := read(b, "model.lua")
	src.Name = "wordpress"
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load(src); err != nil {
			b.Fatal(err)
		}
	}
}

func TestAThousandRunsLeaveNoMemory(t *testing.T) {
	d, err := Load(Source{Name: "x", Text: []byte(`return { api = 1, name = "x", version = "1.0.0", summary = "s", family = true,
login = function() local t = {} for i = 1, 100 do t[i] = ("x"):rep(1000) end return outcome.done() end }`)})
	if err != nil {
		t.Fatal(err)
	}
	heap := func(runs int) int {
		for range runs {
			r := &run{ctx: t.Context(), driver: d, phase: core.Login, session: core.Session{Services: quiet{}}, redact: &redactor{}}
			if _, err := r.with(noPage{}); err != nil {
				t.Fatal(err)
			}
		}
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	before := heap(50)
	after := heap(1000)
	t.Logf("heap %d kB after 50 runs, %d kB after 1,050", before>>10, after>>10)
	if after > before+(1<<20) {
		t.Errorf("the heap grew by %d kB", (after-before)>>10)
	}
}
