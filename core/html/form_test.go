package html_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/page"
)

func TestFormCarriesAllItHolds(t *testing.T) {
	p, s, _ := opened(t, `<form action=/to?old=1 method=post>
		<input type=hidden name=csrf value="tok&en"><input name=user value=old><input name=off value=1 disabled>
		<fieldset disabled><legend><input name=legend value=yes></legend><input name=gone value=1></fieldset>
		<textarea name=about>
line 1
line 2</textarea>
		<select name=lang><option value=en selected>English<option value=vi>Tiếng Việt</select>
		<select name=many multiple><option selected>a<option>b<option selected>c</select>
		<input type=checkbox name=news checked><input type=checkbox name=ads value=1>
		<label><input type=radio name=sex value=f>Female</label><label><input type=radio name=sex value=m checked>Male</label>
		<input name=empty><input value=nameless>
		<input type=submit name=other value=No><button name=save value=1>Save</button></form>
		<input name=outside value=in form=late><form id=late></form>`)
	ctx := t.Context()
	must[page.Seen](t)(p.Fill(ctx, at("[name=user]"), text("ada đ"), nil))
	must[page.Seen](t)(p.Choose(ctx, at("[name=lang]"), []string{"fr", "tiếng việt"}, nil))
	must[page.Seen](t)(p.Choose(ctx, at("[name=sex]"), []string{"Female"}, nil))
	must[page.Seen](t)(p.Check(ctx, at("[name=ads]"), true, nil))
	must[page.Seen](t)(p.Check(ctx, at("[name=news]"), false, nil))
	seen := must[page.Seen](t)(p.Click(ctx, at("role=button[name=Save]"), sign("done", "#ok")))
	if seen.Label != "done" || seen.Said != "Thanks" {
		t.Errorf("seen %+v", seen)
	}
	g := s.last()
	want := "csrf=tok%26en&user=ada+%C4%91&legend=yes&about=line+1%0D%0Aline+2&lang=vi&many=a&many=c&ads=1&sex=f&empty=&save=1"
	if g.method != "POST" || g.path != "/to?old=1" || g.body != want {
		t.Errorf("%s %s\n%s\nwant\n%s", g.method, g.path, g.body, want)
	}
	for name, want := range map[string]string{"Origin": s.URL, "Referer": s.URL + "/", "Content-Type": "application/x-www-form-urlencoded", "Accept-Language": "vi"} {
		if got := g.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestFormIsSentTheWayItSays(t *testing.T) {
	for name, c := range map[string]struct{ html, press, request, body string }{
		"get replaces the query": {`<form action="/to?x=1#f"><input name=q value="a b"><button>Go</button></form>`, "button", "GET /to?q=a+b", ""},
		"no action is the page":  {`<form method=post><input name=q value=1><button>Go</button></form>`, "button", "POST /", "q=1"},
		"the button overrides":   {`<form action=/no><input name=q value=1><button formaction=/to formmethod=post>Go</button></form>`, "button", "POST /to", "q=1"},
		"by the form attribute":  {`<form id=f method=post action=/to></form><input name=q value=2 form=f><button form=f>Go</button>`, "button", "POST /to", "q=2"},
		"an image button":        {`<form method=post action=/to><input type=image name=go alt=Go></form>`, "role=button[name=Go]", "POST /to", "go.x=0&go.y=0"},
		"a form inside a table":  {`<table><form method=post action=/to><tr><td><input name=q value=3><td><button>Go</button></table>`, "button", "POST /to", "q=3"},
		"text inside the button": {`<form method=post action=/to><button name=b value=1><span id=in>Go</span></button></form>`, "#in", "POST /to", "b=1"},
		"base moves the action":  {`<base href="/deep/"><form method=post action="../to"><button>Go</button></form>`, "button", "POST /to", ""},
		"another charset":        {`<meta charset=iso-8859-1><form method=post action=/to><input name=q value="&eacute;&#x111;"><button>Go</button></form>`, "button", "POST /to", "q=%C3%A9%C4%91"},
	} {
		t.Run(name, func(t *testing.T) {
			p, s, _ := opened(t, c.html)
			must[page.Seen](t)(p.Click(t.Context(), at(c.press), nil))
			if g := s.last(); g.method+" "+g.path != c.request || g.body != c.body {
				t.Errorf("%s %s %q, want %s %q", g.method, g.path, g.body, c.request, c.body)
			}
		})
	}
}

func TestEnterSendsTheFormByItsFirstButton(t *testing.T) {
	p, s, _ := opened(t, `<form method=post action=/to><input name=q><button name=a value=1>A</button><button name=b value=1>B</button></form>`)
	must[page.Seen](t)(p.Type(t.Context(), at("[name=q]"), text("x"), nil))
	must[page.Seen](t)(p.Press(t.Context(), at("[name=q]"), "Enter", sign("done", "#ok")))
	if g := s.last(); g.body != "q=x&a=1" {
		t.Errorf("sent %q", g.body)
	}
}

func TestUploadGoesAsMultipart(t *testing.T) {
	p, s, r := opened(t, `<form method=post action=/to enctype=multipart/form-data><input type=hidden name=csrf value=t>
		<input type=file name=none><label for=f>Picture</label><input type=file id=f name=pic hidden><button>Go</button></form>`)
	if _, err := p.Upload(t.Context(), at("#f"), "avatar", nil); err != core.ErrNoAsset {
		t.Errorf("without an image: %v", err)
	}
	r.asset = image(t)
	must[page.Seen](t)(p.Upload(t.Context(), at("#f"), "avatar", nil))
	must[page.Seen](t)(p.Click(t.Context(), at("button"), sign("done", "#ok")))
	g := s.last()
	if got := g.files["pic"]; got != "avatar.png|image/png|\x89PNG picture" {
		t.Errorf("pic is %q", got)
	}
	if g.form["csrf"][0] != "t" || p.Results()["avatar"] != "set" {
		t.Errorf("form %v, results %v", g.form, p.Results())
	}
}

func TestFieldsAreFilledByKind(t *testing.T) {
	p, s, _ := opened(t, `<form method=post action=/to><input name=user><input type=email name=mail value="ada@mail.test"><textarea name=about maxlength=5></textarea>
		<select name=country><option value=vn>Việt Nam</select><button>Go</button></form>`)
	vn := text("Việt Nam")
	n, err := p.Fields(t.Context(), []page.Field{
		{Name: "username", At: at("#no", "[name=user]")}, {Name: "email", At: at("[name=mail]")}, {Name: "about", At: at("[name=about]")},
		{Name: "website", At: at("[name=site]")}, {Name: "first_name", At: at("[name=gone]"), Optional: true, Value: &vn}, {Name: "location", At: at("[name=country]"), Value: &vn},
	})
	if err != nil || n != 2 {
		t.Fatalf("%d changed, %v", n, err)
	}
	want := map[string]string{"username": "set", "email": "kept", "about": "truncated(5)", "first_name": "unsupported", "location": "kept"}
	for name, w := range want {
		if got := p.Results()[name]; got != w {
			t.Errorf("%s is %q, want %q", name, got, w)
		}
	}
	must[page.Seen](t)(p.Click(t.Context(), at("button"), nil))
	if g := s.last(); g.body != "user=ada_l&mail=ada%40mail.test&about=Notes&country=vn" {
		t.Errorf("sent %q", g.body)
	}
	_, err = p.Fields(t.Context(), []page.Field{{Name: "username", At: at("#nowhere")}})
	faulty(t, err, core.LayoutChanged, "driver.lua:7", "the field username (#nowhere): nothing matches")
}

func TestWhatAControlDoesNotTake(t *testing.T) {
	p, _, _ := opened(t, `<input id=short maxlength=3><input id=date type=date><input id=ro readonly><input id=off disabled><input id=file type=file>
		<div id=rich contenteditable></div><select id=s><option>a</select><button type=button>Menu</button><p id=p>text</p><input id=n type=number>`)
	ctx := t.Context()
	fill := func(loc, v string) error { _, err := p.Fill(ctx, at(loc), text(v), nil); return err }
	faulty(t, fill("#short", "abcd"), core.LayoutChanged, "maxlength of 3")
	faulty(t, fill("#date", "1.2.2003"), core.LayoutChanged, "2006-01-02")
	faulty(t, fill("#n", "many"), core.LayoutChanged, "a number")
	faulty(t, fill("#ro", "x"), core.LayoutChanged, "readonly")
	faulty(t, fill("#off", "x"), core.LayoutChanged, "disabled")
	faulty(t, fill("#file", "x"), core.DriverError, "use upload")
	faulty(t, fill("#rich", "x"), core.DriverError, "needs a browser", `engine = "browser"`)
	faulty(t, fill("#s", "z"), core.LayoutChanged, "no such choice", "candidates: a")
	_, err := p.Click(ctx, at("role=button[name=Menu]"), nil)
	faulty(t, err, core.DriverError, "only a script of the page reacts")
	_, err = p.Click(ctx, at("#p"), nil)
	faulty(t, err, core.DriverError, "needs a browser")
	_, err = p.Hover(ctx, at("#p"), nil)
	faulty(t, err, core.DriverError, "hover needs a browser")
	_, err = p.Human(ctx, core.Captcha, "solve it", nil)
	faulty(t, err, core.DriverError, "human", "needs a browser")
	_, err = p.Click(ctx, at("xpath=//p"), nil)
	faulty(t, err, core.DriverError, "xpath=//p needs a browser")
	_, err = p.Press(ctx, at("#short"), "ArrowDown", nil)
	faulty(t, err, core.DriverError, "ArrowDown")
}

func TestARequiredFieldKeepsTheFormBack(t *testing.T) {
	p, s, r := opened(t, `<form method=post action=/to><input name=user required><button>Go</button></form>`)
	_, err := p.CommitClick(t.Context(), at("button"), signs("done", "#ok"))
	faulty(t, err, core.LayoutChanged, "commit(button)", "name=\"user\"", "is empty")
	if r.commits != 0 || len(s.requests()) != 1 {
		t.Errorf("%d commits, %v", r.commits, s.requests())
	}
}

func TestRedirectsAndCookies(t *testing.T) {
	set := func(c *http.Cookie, to string, status int) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			http.SetCookie(w, c)
			http.Redirect(w, r, to, status)
		}
	}
	s := serve(t, map[string]any{
		"GET /":        `<form method=post action=/in><input name=q value=1><button>Go</button></form>`,
		"POST /in":     set(&http.Cookie{Name: "sid", Value: "s1", Path: "/", HttpOnly: true}, "/a/b?x=1#frag", 303),
		"GET /a/b":     set(&http.Cookie{Name: "deep", Value: "d"}, "/home", 302),
		"GET /home":    `<p id=home>Home</p><a href="/a/c">on</a><a id=out href="/bye">out</a>`,
		"GET /a/c":     `<p id=c>c</p>`,
		"GET /bye":     set(&http.Cookie{Name: "sid", Path: "/", MaxAge: -1}, "/gone", 302),
		"GET /gone":    `<p id=gone>bye</p>`,
		"GET /keep":    `<form method=post action=/kept><input name=q value=1><button>Go</button></form>`,
		"POST /kept":   set(&http.Cookie{Name: "k", Value: "1"}, "/kept2", 307),
		"POST /kept2":  `<p id=kept>kept</p>`,
		"GET /foreign": set(&http.Cookie{Name: "x", Value: "1", Domain: "other.test"}, "http://other.test/", 302),
	})
	r := &runner{}
	p := attach(t, s, r, core.Login)
	ctx := t.Context()
	must[page.Seen](t)(p.Open(ctx, "/", nil))
	must[page.Seen](t)(p.Click(ctx, at("button"), sign("home", "#home")))
	if got := must[string](t)(p.URL(ctx, "")); got != s.URL+"/home#frag" {
		t.Errorf("at %s", got)
	}
	must[page.Seen](t)(p.Click(ctx, at("text=on"), sign("c", "#c")))
	if got := s.last().header.Get("Cookie"); got != "deep=d; sid=s1" {
		t.Errorf("the cookies are %q", got)
	}
	// The next phase goes on with them.
	p = attach(t, s, r, core.Profile)
	must[page.Seen](t)(p.Open(ctx, "/home", nil))
	if got := s.last().header.Get("Cookie"); got != "sid=s1" {
		t.Errorf("the next phase sends %q", got)
	}
	must[page.Seen](t)(p.Click(ctx, at("#out"), sign("gone", "#gone")))
	if got := s.last().header.Get("Cookie"); got != "" {
		t.Errorf("after signing out: %q", got)
	}
	must[page.Seen](t)(p.Open(ctx, "/keep", nil))
	must[page.Seen](t)(p.Click(ctx, at("button"), sign("kept", "#kept")))
	if g := s.last(); g.method != "POST" || g.body != "q=1" {
		t.Errorf("a 307 sends %s %q", g.method, g.body)
	}
	_, err := p.Open(ctx, "/foreign", nil)
	faulty(t, err, core.HostRefused, "other.test", "declare it in hosts")
	if slices.ContainsFunc(r.cookies, func(c core.Cookie) bool { return c.Name == "x" }) {
		t.Error("a cookie of another site was taken")
	}
}

func TestNothingLeavesTheSite(t *testing.T) {
	p, s, r := opened(t, `<a href="http://other.test/x">out</a><a id=js href="javascript:go()">js</a><a id=tab href=/to target=_blank>tab</a>
		<form method=post action="http://other.test/"><input name=u><input type=password name=p><button>Go</button></form>`)
	ctx := t.Context()
	for _, path := range []string{"http://other.test/", "file:///etc/passwd", "http://user:pw@" + strings.TrimPrefix(s.URL, "http://") + "/", "to"} {
		if _, err := p.Open(ctx, path, nil); err == nil {
			t.Errorf("%s was opened", path)
		}
	}
	_, err := p.Click(ctx, at("text=out"), nil)
	faulty(t, err, core.HostRefused, "other.test")
	_, err = p.Click(ctx, at("#js"), nil)
	faulty(t, err, core.DriverError, "javascript:")
	_, err = p.Click(ctx, at("#tab"), nil)
	faulty(t, err, core.LayoutChanged, "a tab is opened")
	_, err = p.CommitClick(ctx, at("button"), signs("done", "#ok"))
	faulty(t, err, core.HostRefused, "other.test")
	_, err = p.Fill(ctx, at("[name=p]"), secret("hush-hush"), nil)
	faulty(t, err, core.DriverError, "its form is sent to another site")
	if r.commits != 0 || len(s.requests()) != 1 {
		t.Errorf("%d commits, %v", r.commits, s.requests())
	}
}

func TestTheEgressPortHasTheLastWord(t *testing.T) {
	p := attach(t, serve(t, map[string]any{}), &runner{}, core.Login, func(o *page.Options, s *core.Session) {
		s.Hosts = []string{"cdn.test"} // the page would go there, the port does not
	})
	_, err := p.Open(t.Context(), "http://cdn.test/", nil)
	faulty(t, err, core.HostRefused, "cdn.test")
	_, err = p.Open(t.Context(), "https://cdn.test/", nil)
	faulty(t, err, core.HostRefused, "cdn.test")
}

func TestQueryValuesAreEncoded(t *testing.T) {
	p, s, _ := opened(t, `<form action=/to><input name=q><button>Go</button></form>`)
	must[page.Seen](t)(p.Fill(t.Context(), at("[name=q]"), text("a&b=c d\"é"), nil))
	must[page.Seen](t)(p.Click(t.Context(), at("button"), nil))
	u, err := url.Parse(s.last().path)
	if err != nil || u.Query().Get("q") != "a&b=c d\"é" {
		t.Errorf("%s %v", s.last().path, err)
	}
}
