package text

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/microcosm-cc/bluemonday"
	"pgregory.net/rapid"
)

const rich = `<h2>About me</h2><p>I am <b>Jane</b>, <i>a <b>writer</b></i> from Đà&nbsp;Nẵng.<br>See <a href="https://jane.example/a_b?x=1&amp;y=[2]">my page</a>.</p>
<ul><li>tea</li><li>books<ol><li>new</li><li>old</li></ol></li></ul><hr><p>Mail <a href="mailto:j@jane.example">j@jane.example</a></p>`

func TestConvertWritesEveryFormat(t *testing.T) {
	want := map[string]string{
		"text": "About me\n\nI am Jane, a writer from Đà\u00a0Nẵng.\nSee my page (https://jane.example/a_b?x=1&y=%5B2%5D).\n\n" +
			"- tea\n- books\n  1. new\n  2. old\n\n---\n\nMail j@jane.example",
		"bbcode": "[b]About me[/b]\n\nI am [b]Jane[/b], [i]a[/i] [b][i]writer[/i][/b] from Đà\u00a0Nẵng.\nSee [url=https://jane.example/a_b?x=1&y=%5B2%5D]my page[/url].\n\n" +
			"[list]\n[*]tea\n[*]books\n[list=1]\n[*]new\n[*]old\n[/list]\n[/list]\n\n---\n\nMail [email]j@jane.example[/email]",
		"wikitext": "== About me ==\n\nI am '''Jane''', ''a'' '''''writer''''' from Đà\u00a0Nẵng.<br>See [https://jane.example/a_b?x=1&y=%5B2%5D my page].\n\n" +
			"* tea\n* books\n## new\n## old\n\n----\n\nMail [mailto:j@jane.example j@jane.example]",
		"dokuwiki": "===== About me =====\n\nI am **Jane**, //a// **//writer//** from Đà\u00a0Nẵng.\\\\ See [[https://jane.example/a_b?x=1&y=%5B2%5D|my page]].\n\n" +
			"  * tea\n  * books\n    - new\n    - old\n\n----\n\nMail [[j@jane.example]]",
		"markdown": "## About me\n\nI am **Jane**, *a **writer*** from Đà\u00a0Nẵng.  \nSee [my page](https://jane.example/a_b?x=1&y=%5B2%5D).\n\n" +
			"- tea\n- books\n  \n  1. new\n  2. old\n\n* * *\n\nMail [j@jane.example](mailto:j@jane.example)",
	}
	for format, text := range want {
		got, err := Convert(rich, format)
		if err != nil || got != text {
			t.Errorf("%s: %v\n got %q\nwant %q", format, err, got, text)
		}
	}
	if got, err := Convert(rich, ""); err != nil || got != want["text"] {
		t.Errorf("the empty format is text: %q, %v", got, err)
	}
	if _, err := Convert("x", "rtf"); err == nil || !strings.Contains(err.Error(), `"rtf"`) || !strings.Contains(err.Error(), "markdown") {
		t.Errorf("an unknown format must be named, with the known ones: %v", err)
	}
}

func TestConvertHTMLIsSanitised(t *testing.T) {
	for src, want := range map[string]string{
		`<p onclick="x()">a<script>alert(1)</script><img src=x onerror=y></p>`: `<p>a</p>`,
		`<a href="javascript:alert(1)">x</a>`:                                  `x`,
		`<a href="data:text/html,x">x</a> <a href="/local">y</a>`:              `x y`,
		`<a href="https://x.example" target=_blank style="x">x</a>`:            `<a href="https://x.example">x</a>`,
		`<iframe src="https://x"></iframe><style>p{}</style><b>b`:              `<b>b</b>`,
		"plain & simple\nsecond":                                               `plain &amp; simple<br/>second`,
	} {
		if got, err := Convert(src, "html"); err != nil || got != want {
			t.Errorf("%s:\n got %q, %v\nwant %q", src, got, err, want)
		}
	}
}

func TestConvertKeepsTheLinesOfPlainText(t *testing.T) {
	if got, _ := Convert("one\r\ntwo\n\nthree & 1 < 2", "text"); got != "one\ntwo\n\nthree & 1 < 2" {
		t.Errorf("got %q", got)
	}
}

func TestConvertLetsNoForeignMarkupThrough(t *testing.T) {
	for _, c := range []struct{ format, src, want string }{
		{"bbcode", "[img]http://x[/img] [1] a[b", "[\u200Bimg]http://x[\u200B/img] [1] a[\u200Bb"},
		{"bbcode", `<a href="http://x.example/[/url][b]">t[/url]</a>`, "[url=http://x.example/%5B/url%5D%5Bb%5D]t[\u200B/url][/url]"},
		{"bbcode", "[<sub>url=http://x]</sub>", "[\u200Burl=http://x]"},
		{"wikitext", "[[Category:X]] {{subst:y}} &lt;nowiki&gt;", "&#91;&#91;Category:X&#93;&#93; &#123;&#123;subst:y&#125;&#125; &lt;nowiki&gt;"},
		{"wikitext", "<p>* a</p><p>== h ==</p><p>#REDIRECT x</p><p>a ~~~~ ''b'' __TOC__</p>",
			"&#42; a\n\n&#61;= h =&#61;\n\n&#35;REDIRECT x\n\na &#126;&#126;&#126;&#126; &#39;&#39;b&#39;&#39; &#95;&#95;TOC_&#95;"},
		{"wikitext", "<p>a<br>----</p><p>l'<i>x</i>'</p>", "a<br>&#45;---\n\nl&#39;''x''&#39;"},
		{"wikitext", `<a href="http://x.example/]{{y}}">a]b</a>`, "[http://x.example/%5D%7B%7By%7D%7D a&#93;b]"},
		{"wikitext", `&lt;script&gt;&amp;lt;`, "&lt;script&gt;&amp;lt;"},
		{"dokuwiki", "[[wiki]] {{rss>x}} ((f)) ~~NOCACHE~~", "%%[[%%wiki%%]]%% %%{{%%rss>x%%}}%% %%((%%f%%))%% %%~~%%NOCACHE%%~~%%"},
		{"dokuwiki", "a %%x%% **b** //c// __d__ ''e'' f\\\\ g", "a <nowiki>%%</nowiki>x<nowiki>%%</nowiki> %%**%%b%%**%% %%//%%c%%//%% %%__%%d%%__%% %%''%%e%%''%% f%%\\\\%% g"},
		{"dokuwiki", "&lt;html&gt;x&lt;/html&gt; 5% a-b (c) it's", "%%<%%html>x%%</%%html> 5% a-b (c) it's"},
		{"dokuwiki", "<p>&gt; q</p><p>| t | u |</p><p>---- x</p><p>== h ==</p>", "%%>%% q\n\n%%|%% t | u |\n\n%%----%% x\n\n%%==%% h %%==%%"},
		{"dokuwiki", `<a href="http://x.example/]]{{y}}">a]]|b</a>`, "[[http://x.example/%5D%5D%7B%7By%7D%7D|a)/b]]"},
		{"dokuwiki", "see http://x.example/a__b.", "see [[http://x.example/a_%5Fb]]."},
		{"markdown", `*a* [x](javascript:y) &lt;b&gt; # c`, "\\*a* \\[x](javascript:y) &lt;b&gt; # c"},
	} {
		got, err := Convert(c.src, c.format)
		if err != nil || got != c.want {
			t.Errorf("%s of %s: %v\n got %q\nwant %q", c.format, c.src, err, got, c.want)
		}
	}
}

func TestConvertDropsControlAndBidiCharacters(t *testing.T) {
	if got, _ := Convert("a\x00b\x1b[2Jc\u202Ed&#x202E;e\xff", "text"); got != "ab[2Jcde\uFFFD" {
		t.Errorf("got %q", got)
	}
}

func TestConvertSurvivesDeepNesting(t *testing.T) {
	for _, format := range Formats {
		got, err := Convert(strings.Repeat("<div><b>", 20_000)+"end", format)
		if err != nil || !strings.Contains(got, "end") {
			t.Errorf("%s: %q, %v", format, got, err)
		}
	}
}

func TestLinksWritesEveryFormat(t *testing.T) {
	urls := []string{"https://a.example/x?y=1&z=(2)", "b.example/c"}
	for format, want := range map[string]string{
		"text":     "https://a.example/x?y=1&z=%282%29\nhttps://b.example/c",
		"html":     "<ul>\n<li><a href=\"https://a.example/x?y=1&amp;z=%282%29\">https://a.example/x?y=1&amp;z=%282%29</a></li>\n<li><a href=\"https://b.example/c\">https://b.example/c</a></li>\n</ul>",
		"markdown": "- <https://a.example/x?y=1&z=%282%29>\n- <https://b.example/c>",
		"bbcode":   "[url]https://a.example/x?y=1&z=%282%29[/url]\n[url]https://b.example/c[/url]",
		"wikitext": "* https://a.example/x?y=1&z=%282%29\n* https://b.example/c",
		"dokuwiki": "  * [[https://a.example/x?y=1&z=%282%29]]\n  * [[https://b.example/c]]",
	} {
		if got, err := Links(format, urls); err != nil || got != want {
			t.Errorf("%s: %q, %v", format, got, err)
		}
	}
	for _, bad := range []string{"javascript:alert(1)", "", "mailto:a@b.c", "/x", "http://", "https://u:p@x.example", "http://a\nb.example"} {
		if _, err := Links("text", []string{"https://ok.example", bad}); err == nil || !strings.Contains(err.Error(), "link 2") {
			t.Errorf("%q must be refused by its place: %v", bad, err)
		}
	}
	if _, err := Links("rtf", nil); err == nil {
		t.Error("an unknown format must be refused")
	}
}

// soup makes text in which markup of every format is likely.
var soup = rapid.Custom(func(t *rapid.T) string {
	parts := rapid.SliceOfN(rapid.OneOf(
		rapid.SampledFrom([]string{"<p>", "</p>", "<b>", "</b>", "<i>", "<ul><li>", "</ul>", "<ol>", "<br>", "<h1>", "</h1>", "<a href=\"http://x.example/]]%%\">", "</a>",
			"<script>", "[[", "]]", "{{", "}}", "%%", "<nowiki>", "&lt;", "[b]", "''", "'", "**", "//", "__", "~~~~", "\n", " ", "==", "&#91;", "<pre>", "e\u0301", "👩‍👩‍👧", "…"}),
		rapid.StringN(0, 12, -1),
	), 0, 30).Draw(t, "parts")
	return strings.Join(parts, "")
})

func TestConvertIsSafeForAnyInput(t *testing.T) {
	clean := bluemonday.UGCPolicy()
	rapid.Check(t, func(t *rapid.T) {
		src := soup.Draw(t, "src")
		for _, format := range Formats {
			got, err := Convert(src, format)
			if err != nil {
				t.Fatalf("%s: %v", format, err)
			}
			checkSafe(t, format, got, clean)
		}
	})
}

type failer interface{ Fatalf(string, ...any) }

func checkSafe(t failer, format, got string, clean *bluemonday.Policy) {
	if !utf8.ValidString(got) {
		t.Fatalf("%s: invalid UTF-8: %q", format, got)
	}
	switch format {
	case FormatHTML:
		if strings.Contains(strings.ToLower(clean.Sanitize(got)), "<script") || strings.Contains(strings.ToLower(got), "<script") {
			t.Fatalf("html: %q", got)
		}
	case FormatWikitext:
		for _, bad := range []string{"[[", "{{", "<nowiki>", "<script", "~~~", "__", "''''''"} {
			if strings.Contains(strings.ToLower(got), bad) {
				t.Fatalf("wikitext has %s: %q", bad, got)
			}
		}
	case FormatDokuWiki:
		if strings.Contains(strings.ToLower(got), "<script") || strings.Contains(got, "~~~~") && !strings.Contains(got, "%%") && !strings.Contains(got, "<nowiki>") {
			t.Fatalf("dokuwiki: %q", got)
		}
	}
}

func FuzzConvert(f *testing.F) {
	for _, s := range []string{rich, "[[x]] {{y}} %%z%%", "<b><p>x</b>", "<a href=http://x><h1>y", "\xff<\x00>", "<table><tr><td>a<td>b"} {
		f.Add(s)
	}
	clean := bluemonday.UGCPolicy()
	f.Fuzz(func(t *testing.T, src string) {
		for _, format := range Formats {
			got, err := Convert(src, format)
			if err != nil {
				t.Fatal(err)
			}
			checkSafe(t, format, got, clean)
		}
	})
}
