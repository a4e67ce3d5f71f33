package html_test

import (
	"testing"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/page"
)

const shelf = `<noscript><p id=noscript>no script</p></noscript><template><p id=templated>t</p></template>
	<p id=hid hidden>x</p><div style="display: none"><p id=in>x</p></div><p id=empty> </p><details><summary id=sum>More</summary><p id=folded>deep</p></details>
	<label for=u>Your name: *</label><input id=u placeholder="Ada  Lovelace" data-testid=user>
	<label>Agree <input type=checkbox id=c style="display:none"></label>
	<button aria-label="Save page">S</button><input type=submit value=Send><a href="/x">Read   <b>more</b></a><h2>Title</h2>
	<ul class=list><li class=a>one</li><li class=b>two</li><li class="a b">three</li></ul>
	<div class=row><span>Mail</span><em>yes</em></div>`

func TestLocatorsFindWhatABrowserWouldShow(t *testing.T) {
	p, _, _ := opened(t, shelf)
	for loc, want := range map[string]bool{
		"#noscript": true, "#templated": false, "#hid": false, "#in": false, "#empty": false, "#sum": true, "#folded": false,
		"label=Your name": true, "label=your NAME *": true, "label=Name": false, "placeholder=ada lovelace": true, "testid=user": true,
		"label=Agree": true, "role=button[name=Save page]": true, "role=button[name='send']": true, "role=link[name=Read more]": true,
		"role=heading[name=Ti*]": true, "text=Read more": true, "text=read*": true, "text=Reads": false,
		"li.a:not(.b)": true, "li:not(.list *)": false, ":is(li, p).b": true, "ul:has(> li.a + li.b)": true, "span:has(+ em)": true, "em:has(+ *)": false,
		"li.a ~ li.a": true, "ul >> text=two": true, "ul >> text=Title": false, ".row > span + em": true, "li:nth-child(2)": true, "#u[placeholder*=LOVE i]": true,
	} {
		got, err := p.Exists(t.Context(), at(loc))
		if err != nil || got != want {
			t.Errorf("%s: %v %v, want %v", loc, got, err, want)
		}
	}
	for _, bad := range []string{"li[", "p::before", "> p", "css=", "role=Button!", "a >> ", "p:hovering"} {
		_, err := p.Exists(t.Context(), at(bad))
		if f := core.AsFault(err, ""); err == nil || f.Code != core.DriverError {
			t.Errorf("%s: %v", bad, err)
		}
	}
	_, err := p.Text(t.Context(), at("li"))
	faulty(t, err, core.LayoutChanged, "3 elements match", "<li class=\"a\">one")
	_, err = p.Click(t.Context(), at("#hid"), nil)
	faulty(t, err, core.LayoutChanged, "the only match is hidden")
	_, err = p.Fill(t.Context(), at("label=Nickname"), text("x"), nil)
	faulty(t, err, core.LayoutChanged, "nothing matches", "candidates: Your name: *")
}

func TestReadingAPage(t *testing.T) {
	p, s, _ := opened(t, shelf)
	ctx := t.Context()
	if got := must[string](t)(p.Text(ctx, at("ul"))); got != "one two three" {
		t.Errorf("text is %q", got)
	}
	if got := must[string](t)(p.Attr(ctx, at("text=Read more"), "href")); got != s.URL+"/x" {
		t.Errorf("href is %q", got)
	}
	if got := must[string](t)(p.Attr(ctx, at("#hid"), "id")); got != "hid" {
		t.Errorf("a hidden element's id is %q", got)
	}
	must[page.Seen](t)(p.Fill(ctx, at("#u"), text("ada"), nil))
	if got := must[string](t)(p.Attr(ctx, at("#u"), "value")); got != "ada" {
		t.Errorf("value is %q", got)
	}
	must[page.Seen](t)(p.Click(ctx, at("#sum"), sign("open", "#folded")))
	if got := must[string](t)(p.URL(ctx, "/u/ada")); got != s.URL+"/u/ada" {
		t.Errorf("url is %q", got)
	}
}
