package text

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/rollcall-run/rollcall/core"
)

func TestFitCutsAtAWord(t *testing.T) {
	for _, c := range []struct {
		in    string
		limit int
		want  string
		cut   bool
	}{
		{"short", 10, "short", false},
		{"short", 5, "short", false},
		{"short", 0, "short", false},
		{"one two three", 9, "one two…", true},
		{"one two three", 8, "one two…", true},
		{"one two, three", 10, "one two…", true},
		{"abcdefghij", 5, "abcd…", true},
		{"a verylongwordwithoutend", 10, "a verylon…", true},
		{"abc", 1, "…", true},
		{"👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧", 2, "👩‍👩‍👧…", true},
		{"e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301e\u0301", false},
		{"a\xffb", 5, "a\uFFFDb", false},
	} {
		if got, cut := Fit(c.in, c.limit); got != c.want || cut != c.cut {
			t.Errorf("Fit(%q, %d) = %q, %v; want %q, %v", c.in, c.limit, got, cut, c.want, c.cut)
		}
	}
}

func TestFitHoldsItsLimitForAnyInput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, limit := soup.Draw(t, "s"), rapid.IntRange(1, 60).Draw(t, "limit")
		got, cut := Fit(s, limit)
		if Length(got) > limit || !utf8.ValidString(got) {
			t.Fatalf("%d characters of at most %d: %q", Length(got), limit, got)
		}
		if again, twice := Fit(got, limit); again != got || twice {
			t.Fatalf("a second cut changed %q to %q", got, again)
		}
		if cut && !strings.HasSuffix(got, "…") {
			t.Fatalf("a cut text must end with …: %q", got)
		}
	})
}

func TestTextsFitNeverCutsMarkup(t *testing.T) {
	src := `<p>Hello <b>bold words here</b> and <a href="https://x.example/page">a link</a> and more text after it</p>`
	for format, want := range map[string]string{
		"html":     `<p>Hello <b>bold words here</b> and…</p>`,
		"bbcode":   `Hello [b]bold words here[/b] and…`,
		"wikitext": `Hello '''bold words here''' and…`,
		"markdown": `Hello **bold words here** and…`,
		"text":     `Hello bold words here and a link…`,
	} {
		got, cut := Texts{}.Fit(src, core.Limit{Max: 45, Format: format})
		if got != want || cut != Length(want) {
			t.Errorf("%s: %q, %d; want %q, %d", format, got, cut, want, Length(want))
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		src, limit := soup.Draw(t, "src"), rapid.IntRange(1, 80).Draw(t, "limit")
		format := rapid.SampledFrom(Formats).Draw(t, "format")
		got, cut := Texts{}.Fit(src, core.Limit{Max: limit, Format: format})
		if n := Length(got); n > limit || cut != 0 && cut != n {
			t.Fatalf("%s: %d characters, cut %d, limit %d: %q", format, n, cut, limit, got)
		}
	})
}

func TestTextsFitKeepsToTheCharacters(t *testing.T) {
	if got, cut := (Texts{}).Fit("<b>Đặng</b> Hương!", core.Limit{Chars: "a-z ", Lower: true, Max: 8}); got != "dang…" && got != "dang hu…" || cut == 0 {
		t.Errorf("got %q, %d", got, cut)
	}
}

func TestSlug(t *testing.T) {
	for in, want := range map[string]string{
		"Đặng Thị Hương": "dang-thi-huong", "  A -- b_c! ": "a-b-c", "Straße 7": "strasse-7", "日本": "", "Łódź": "lodz", "x\u0301": "x", "\xffa": "a",
	} {
		if got := Slug(in); got != want {
			t.Errorf("Slug(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestNetworkAndHandle(t *testing.T) {
	for _, c := range []struct{ url, network, handle string }{
		{"https://www.facebook.com/jane.doe", "facebook", "jane.doe"},
		{"https://facebook.com/profile.php?id=100012", "facebook", "100012"},
		{"https://www.facebook.com/people/Jane-Doe/100012/", "facebook", "100012"},
		{"https://m.facebook.com/jane?x=1", "facebook", "jane"},
		{"https://twitter.com/jane", "x", "jane"},
		{"x.com/@jane/", "x", "jane"},
		{"https://vn.linkedin.com/in/jane-doe-1/", "linkedin", "jane-doe-1"},
		{"https://www.linkedin.com/company/acme", "linkedin", "acme"},
		{"https://www.youtube.com/@jane", "youtube", "jane"},
		{"https://www.youtube.com/channel/UC12", "youtube", "UC12"},
		{"https://instagram.com/jane_d", "instagram", "jane_d"},
		{"https://www.tiktok.com/@jane", "tiktok", "jane"},
		{"https://github.com/jane", "github", "jane"},
		{"https://www.pinterest.co.uk/jane/", "pinterest", "jane"},
		{"https://jane.tumblr.com/", "tumblr", "jane"},
		{"https://jane.blogspot.com", "blogger", "jane"},
		{"https://www.reddit.com/user/jane", "reddit", "jane"},
		{"https://facebook.com.evil.example/jane", "evil.example", "jane"},
		{"https://notfacebook.com/jane", "notfacebook.com", "jane"},
		{"https://sub.site.co.uk/u/jane", "site.co.uk", "jane"},
		{"https://x.com", "x", ""},
		{"no address", "", ""},
		{"javascript:alert(1)", "", ""},
	} {
		if got := Network(c.url); got != c.network {
			t.Errorf("Network(%s) = %q, want %q", c.url, got, c.network)
		}
		if got := Handle(c.url); got != c.handle {
			t.Errorf("Handle(%s) = %q, want %q", c.url, got, c.handle)
		}
	}
}

func TestHasComparesAsAPersonReads(t *testing.T) {
	page := "Xin lo\u0302\u0303i:\u00a0 tên  đăng nhập\nĐÃ TỒN TẠI. STRASSE"
	for phrase, want := range map[string]bool{
		"xin lỗi": true, "tên đăng nhập đã tồn tại": true, "straße": true, "taken": false, "": false, "  ": false,
	} {
		if got := Has(page, []string{phrase}); got != want {
			t.Errorf("Has(%q) = %v", phrase, got)
		}
	}
	if Has(page, nil) || !Has("ta\u00ADken", []string{"x", "TAKEN"}) {
		t.Error("no phrase is never said; invisible characters don't count")
	}
}

func TestSpinChoosesTheSameForTheSameSeed(t *testing.T) {
	const text = `{Hi|Hello|Hey}, {I'm {Jane|Joan}|my name is {Jane|Joan}} {x} {a|}`
	seen := map[string]bool{}
	for i := range 200 {
		seed := fmt.Sprint(i)
		got := Spin(text, seed)
		if got != Spin(text, seed) {
			t.Fatal("the same seed chose differently")
		}
		if strings.Contains(got, "|") || !strings.Contains(got, "{x}") {
			t.Fatalf("left unresolved: %q", got)
		}
		seen[got] = true
	}
	if len(seen) < 18 {
		t.Errorf("only %d of 24 combinations in 200 seeds", len(seen))
	}
}

func TestSpinLeavesWhatIsNoSpin(t *testing.T) {
	for _, s := range []string{"{no bar}", "{open|", "a|b", "}x|y{", `<a href="http://x/{a|b}">`, `<p style="{x|y}" title='>'>t</p>`, "{}", "{a{b|c", ""} {
		got := Spin(s, "s")
		if s == "{a{b|c" {
			continue // unbalanced: only must not fail
		}
		if got != s {
			t.Errorf("Spin(%q) = %q", s, got)
		}
	}
	got := Spin(`{<a href="x|y">one</a>|<a href="x|y">two</a>}`, "s")
	if got != `<a href="x|y">one</a>` && got != `<a href="x|y">two</a>` {
		t.Errorf("tags inside alternatives: %q", got)
	}
	deep := Spin(strings.Repeat("{a|", 100_000)+"x"+strings.Repeat("}", 100_000), "s")
	if len(deep) > 400_000+1 {
		t.Errorf("deep nesting grew to %d", len(deep))
	}
}

func TestPasswordKeepsWhatFits(t *testing.T) {
	got, changed, err := Password(core.Text("Abc123!xyz99"), core.Limit{Min: 8, Max: 20, Classes: 3})
	if err != nil || changed || got.Reveal() != "Abc123!xyz99" || !got.IsSecret() {
		t.Errorf("%v %v %v", got.Reveal(), changed, err)
	}
}

var limits = rapid.Custom(func(t *rapid.T) core.Limit {
	l := core.Limit{
		Chars: rapid.SampledFrom([]string{"", "a-z0-9_.-", "a-zA-Z0-9", "0-9", `\w!`, "A-Z", "é"}).Draw(t, "chars"),
		Min:   rapid.IntRange(0, 30).Draw(t, "min"), Max: rapid.IntRange(0, 40).Draw(t, "max"),
		Lower: rapid.Bool().Draw(t, "lower"), Classes: rapid.IntRange(0, 4).Draw(t, "classes"),
	}
	return l
})

func TestPasswordAlwaysFitsOrSaysWhyNot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, base := limits.Draw(t, "limit"), soup.Draw(t, "base")
		got, changed, err := Password(core.Secret(base), l)
		if err != nil {
			if base != "" && strings.Contains(err.Error(), base) && len(base) > 4 {
				t.Fatalf("the error carries the password: %v", err)
			}
			if CheckLimit(l) == nil && l.Chars != "é" && !(l.Lower && l.Chars == "A-Z") {
				t.Fatalf("a possible limit was refused: %+v: %v", l, err)
			}
			return
		}
		set, _ := charset(l.Chars)
		if !fits(got.Reveal(), l, set) || !got.IsSecret() || changed == (got.Reveal() == base) {
			t.Fatalf("%q does not fit %+v (changed %v)", got.Reveal(), l, changed)
		}
	})
}

func TestPasswordIsRandomWhereItIsMade(t *testing.T) {
	a, _, _ := Password(core.Value{}, core.Limit{Classes: 4})
	b, _, _ := Password(core.Value{}, core.Limit{Classes: 4})
	if a.Equal(b) || Length(a.Reveal()) != madeLength {
		t.Errorf("%q %q", a.Reveal(), b.Reveal())
	}
}

func TestUsernameFitsAndVaries(t *testing.T) {
	l := core.Limit{Min: 3, Max: 12, Chars: "a-z0-9_", Lower: true}
	for base, want := range map[string]string{"Jane Doe": "jane_doe", "đặng.hương": "danghuong", "jane": "jane", "averyveryverylongname": "averyveryver"} {
		if got, changed := Username(base, l, 0); got != want || changed != (base != want) {
			t.Errorf("Username(%q) = %q, %v", base, got, changed)
		}
	}
	seen := map[string]bool{}
	for n := range 2000 {
		got, _ := Username("Jane Doe", l, n)
		if again, _ := Username("Jane Doe", l, n); again != got || seen[got] || len(got) > 12 {
			t.Fatalf("candidate %d: %q (again %q, seen %v)", n, got, again, seen[got])
		}
		seen[got] = true
	}
	if got, changed := Username("日本", core.Limit{Chars: "a-z0-9", Min: 6}, 0); !changed || len(got) < 6 {
		t.Errorf("a name is made where nothing is left: %q", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		l, base, n := limits.Draw(t, "limit"), soup.Draw(t, "base"), rapid.IntRange(0, 50).Draw(t, "n")
		got, _ := Username(base, l, n)
		set, _ := charset(l.Chars)
		if l.Max > 0 && Length(got) > l.Max || !utf8.ValidString(got) {
			t.Fatalf("%q does not fit %+v", got, l)
		}
		for _, r := range got {
			if !set.has(r) {
				t.Fatalf("%q has %q, not allowed by %q", got, r, l.Chars)
			}
		}
	})
}

func TestCheckLimitNamesWhatIsImpossible(t *testing.T) {
	for _, c := range []struct {
		l    core.Limit
		want string
	}{
		{core.Limit{Chars: "a]b"}, "chars"}, {core.Limit{Chars: "z-a"}, "chars"}, {core.Limit{Min: 9, Max: 3}, "min = 9"},
		{core.Limit{Classes: 5}, "classes = 5"}, {core.Limit{Classes: 2, Chars: "0-9"}, "only 1"}, {core.Limit{Classes: 3, Max: 2}, "max = 2"},
		{core.Limit{Format: "rtf"}, "rtf"},
	} {
		if err := CheckLimit(c.l); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.l, err)
		}
	}
	if err := CheckLimit(core.Limit{Min: 3, Max: 60, Chars: "a-z0-9_.-", Lower: true, Classes: 3, Format: "wikitext"}); err != nil {
		t.Error(err)
	}
	if !slices.Contains(Formats, FormatWikitext) {
		t.Error("wikitext is a format")
	}
}

func FuzzSpin(f *testing.F) {
	f.Add("{a|b{c|d}}", "1")
	f.Add("<a '{|}", "")
	f.Fuzz(func(t *testing.T, s, seed string) {
		if got := Spin(s, seed); len(got) > len(s) {
			t.Fatalf("%q grew to %q", s, got)
		}
	})
}
