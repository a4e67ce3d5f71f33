package lua

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzLoad: whatever a driver's file says, it has a manifest that can be acted on,
// the same each time, or is refused in one clean line that names it.
func FuzzLoad(f *testing.F) {
	f.Add(string(read(f, "model.lua").Text))
	f.Add(string(read(f, "board.lua").Text))
	for _, text := range []string{
		`return { api = 1, name = "x", version = "1.0.0", summary = "s", family = true, engine = { login = "http" }, login = function() end }`,
		`return { api = 1, domains = { "bücher.example", "xn--a", 1, {} }, needs = { "password", "password" }, limits = { about = { max = -1, formats = { "html" } } } }`,
		`local d = {} d.d = d return d`, `return { api = 1/0, name = {}, probe = { authoritative = "yes", settle = "-1s" }, permissions = { "eval", "all" } }`,
		`return { options = { a = { 1, "x" }, b = { {}, {} } }, tests = { { phase = "login", want = {} } }, hosts = { "*", "127.0.0.1", "a b" } }`,
		"return setmetatable({}, {})", "for i = 1, 2 do return end", "\xff", "return {\n[1] = nil,\n", `error("\27]0;x\7")`, `error(("x"):rep(1000000))`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		src := libDir(t)
		src.Path, src.Text = "t.lua", []byte(text)
		d, err := Load(src)
		if err != nil {
			var bad *LoadError
			if said := err.Error(); !errors.As(err, &bad) || !strings.HasPrefix(said, "t.lua") && !strings.HasPrefix(said, "lib/") || strings.ContainsAny(said, "\n\x1b\x00") || !utf8.ValidString(said) {
				t.Errorf("%T %q", err, err)
			}
			return
		}
		m := d.Manifest()
		if m.Name == "" || m.API != 1 || len(m.Phases) == 0 || !m.Family && len(m.Domains) == 0 {
			t.Errorf("a manifest without what it must have: %+v", m)
		}
		again, err := Load(src)
		if err != nil || !reflect.DeepEqual(m, again.Manifest()) {
			t.Errorf("loading is not repeatable: %v", err)
		}
		if _, err := Check(src); err != nil {
			t.Errorf("it loads, but can't be checked: %v", err)
		}
	})
}
