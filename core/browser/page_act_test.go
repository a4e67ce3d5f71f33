package browser

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

func TestFillAndClickWithSign(t *testing.T) {
	p := opened(t, `<form onsubmit="event.preventDefault();document.querySelector('#out').textContent='hello '+this.n.value">
		<label for=n>Name *</label><input id=n name=n><button>Send it</button></form><p id=out></p>`, nil)
	ctx := t.Context()
	must[Seen](t)(p.Fill(ctx, Locator{"label=name"}, core.Text("Đức 😀"), nil))
	seen := must[Seen](t)(p.Click(ctx, Locator{"role=button[name=send it]"}, signs("ok", "#out", "bad", ".err")))
	if seen != (Seen{Label: "ok", Said: "hello Đức 😀"}) {
		t.Errorf("%+v", seen)
	}
}

func TestLocators(t *testing.T) {
	p := opened(t, `
		<label>First name <input id=wrapped></label>
		<label for=forid>Last name (required)</label><input id=forid>
		<input id=aria aria-label="E-Mail:">
		<span id=l1>Street</span> <span id=l2>number</span><input id=by aria-labelledby="l1 l2">
		<input id=ph placeholder="Your town"><input id=tid data-testid=town>
		<button id=b1>Save <b>all</b></button><input type=submit id=b2 value="Go on"><div role=button tabindex=0 id=b3 aria-label="Close">x</div>
		<a href=/x id=a1>Sign out</a><h2 id=h>News</h2><p id=txt>Just   some
		text</p><button id=hid style="display:none">Ghost</button><button id=clear style="opacity:0">Glass</button>
		<label>Tick <input type=checkbox id=tick></label><div id=box><button id=inner>Inner</button></div><div><button>Inner</button></div>
		<x-el id=host></x-el><iframe id=fr srcdoc="<button id=inframe>In a frame</button>"></iframe>
		<img alt="A picture" id=img><nav id=nav><a href=/n>x</a></nav><label>Café <input id=nfc></label>
		<script>const r=document.querySelector('x-el').attachShadow({mode:'open'});r.innerHTML='<button id=inshadow>Deep</button><slot></slot>'</script>`, nil)
	for loc, id := range map[string]string{
		"#b1": "b1", "css=#b1": "b1", "label=first name": "wrapped", "label=Last name": "forid", "label=Last name *": "forid", "label=e-mail": "aria",
		"label=Street number": "by", "placeholder=your town": "ph", "testid=town": "tid", "role=button[name=save all]": "b1", `role=button[name="Go on"]`: "b2",
		"role=button[name=close]": "b3", "role=link[name=Sign out]": "a1", "role=heading": "h", "text=just some text": "txt", "text=Just*": "txt",
		"role=button[name=Glass]": "clear", "label=Tick": "tick", "#box >> role=button[name=Inner]": "inner", "role=button[name=Deep]": "inshadow",
		"#host >> button": "inshadow", "#fr >> text=In a frame": "inframe", "role=button[name=In a frame]": "inframe", "xpath=//h2": "h",
		"role=img[name=A picture]": "img", "role=navigation": "nav", "label=Cafe\u0301": "nfc", "#box >> xpath=//button": "inner", "role=checkbox[name=tick]": "tick",
	} {
		got, err := p.Attr(t.Context(), Locator{loc}, "id")
		if err != nil || got != id {
			t.Errorf("%s finds %q, want %q: %v", loc, got, id, err)
		}
	}
	for _, loc := range []string{"text=Ghost", "role=button[name=Ghost]", "#none", "role=button[name=sav]", "label=First"} {
		if ok := must[bool](t)(p.Exists(t.Context(), Locator{loc})); ok {
			t.Errorf("%s matches", loc)
		}
	}
	_, err := p.Text(t.Context(), Locator{"role=button[name=Inner]"})
	faulty(t, err, core.LayoutChanged, "2 elements match", "inner")
	_, err = p.Text(t.Context(), Locator{"#none", "#h"})
	if err != nil {
		t.Errorf("the second alternative: %v", err)
	}
	for _, loc := range []string{"##", "role=Button!", "a >> ", "xpath=///", "label=", "url=/x"} {
		_, err := p.Exists(t.Context(), Locator{loc})
		faulty(t, err, core.DriverError)
	}
}

func TestActionsWaitUntilTheElementIsFit(t *testing.T) {
	p := opened(t, `<button id=b disabled onclick="this.textContent+='!'">Go</button><p id=p></p>
		<script>setTimeout(()=>b.disabled=false,150)</script>`, nil)
	must[Seen](t)(p.Click(t.Context(), Locator{"#b"}, nil))
	if got := must[string](t)(p.Text(t.Context(), Locator{"#b"})); got != "Go!" {
		t.Errorf("clicked: %q", got)
	}
	script(t, p, `setTimeout(()=>{p.innerHTML='<input id=late>'},150)`)
	must[Seen](t)(p.Fill(t.Context(), Locator{"#late"}, core.Text("x"), nil))
}

func TestMovingElementIsClickedWhereItStops(t *testing.T) {
	p := opened(t, `<style>@keyframes k{from{transform:translateX(0)}to{transform:translateX(400px)}}#b{animation:k .4s linear forwards}</style>
		<button id=b onclick="document.title='hit'">Go</button>`, nil)
	must[Seen](t)(p.Click(t.Context(), Locator{"#b"}, nil))
	if got := script(t, p, "document.title"); got != "hit" {
		t.Errorf("title %q", got)
	}
}

// TestAClickWaitsForImagesThatMayPushItsElementAway: a page may be used before
// its images are there, and moves when they come.
func TestAClickWaitsForImagesThatMayPushItsElementAway(t *testing.T) {
	s := newSites(t, map[string]string{"/": `<img src="/late"><p><button onclick="n.className=document.images[0].complete?'ok':'early'">Go</button><p id=n>there</p>`})
	asked, send := make(chan struct{}), make(chan struct{})
	s.handle("/late", func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-send
		w.Header().Set("Content-Type", "image/svg+xml")
		fmt.Fprint(w, `<svg xmlns="http://www.w3.org/2000/svg" width="50" height="120"/>`)
	})
	p := newTab(t, s, nil)
	must[Seen](t)(p.Open(t.Context(), "/", signs("there", "button")))
	<-asked
	close(send)
	if seen := must[Seen](t)(p.Click(t.Context(), Locator{"button"}, signs("ok", "p.ok", "early", "p.early"))); seen.Label != "ok" {
		t.Errorf("%+v", seen)
	}
}

func TestCoveredElement(t *testing.T) {
	body := `<button id=b onclick="document.title='hit'">Go</button>
		<div id=banner class=cookie style="position:fixed;inset:0;background:#fff"><button id=ok onclick="banner.remove()">Accept all</button></div>`
	p := opened(t, body, nil)
	ctx, cancel := deadline(t, 800*time.Millisecond)
	defer cancel()
	_, err := p.Click(ctx, Locator{"#b"}, nil)
	faulty(t, err, core.LayoutChanged, "covers it", "banner")

	p = opened(t, body, func(_ *core.Session, o *AttachOptions) { o.Manifest.Dismiss = []string{"role=button[name=Accept all]"} })
	must[Seen](t)(p.Click(t.Context(), Locator{"#b"}, nil))
	if got := script(t, p, "document.title"); got != "hit" {
		t.Errorf("title %q", got)
	}
}

func TestStrictness(t *testing.T) {
	p := opened(t, `<button>A</button><button>B</button><input id=off disabled><input id=ro readonly><button id=h hidden>H</button><input type=file id=f>`, nil)
	ctx, cancel := deadline(t, 3*time.Second)
	defer cancel()
	_, err := p.Click(ctx, Locator{"button"}, nil)
	faulty(t, err, core.LayoutChanged, "2 elements match")
	for loc, why := range map[string]string{"#off": "disabled", "#ro": "readonly"} {
		ctx, cancel := deadline(t, 500*time.Millisecond)
		_, err := p.Fill(ctx, Locator{loc}, core.Text("x"), nil)
		faulty(t, err, core.LayoutChanged, why)
		cancel()
	}
	short, cancel := deadline(t, 500*time.Millisecond)
	defer cancel()
	_, err = p.Click(short, Locator{"#h"}, nil)
	faulty(t, err, core.LayoutChanged, "hidden")
	_, err = p.Fill(t.Context(), Locator{"#f"}, core.Text("x"), nil)
	faulty(t, err, core.DriverError, "upload")
}

// controlled is an input as React keeps it: it puts back what did not come with
// an input event that the browser itself sent.
const controlled = `<script>function controlled(el){let state=el.value;const d=Object.getOwnPropertyDescriptor(HTMLInputElement.prototype,'value');
	let tracked=el.value;Object.defineProperty(el,'value',{get(){return d.get.call(el)},set(v){tracked=v;d.set.call(el,v)}});
	el.addEventListener('input',e=>{if(e.isTrusted&&d.get.call(el)!==tracked){state=d.get.call(el)}queueMicrotask(()=>{el.value=state})});}</script>`

func TestControlsTakeTheirValues(t *testing.T) {
	p := opened(t, controlled+`<input id=react><script>controlled(react)</script><textarea id=ta>old</textarea><div id=rich contenteditable>old <b>text</b></div>
		<input id=date type=date><input id=time type=time><input id=color type=color><input id=range type=range min=0 max=10>
		<select id=sel><option value="">-</option><option value=vn>Việt Nam</option><option value=de>Germany</option></select>
		<input type=checkbox id=cb><input type=radio name=g id=r1 value=m><label for=r1>Male</label><input type=radio name=g id=r2 value=f><label for=r2>Female</label>
		<input id=num type=number><input id=mail type=email><script>log=[];for(const e of document.querySelectorAll('input,select,textarea'))e.addEventListener('change',()=>log.push(e.id))</script>`, nil)
	for id, v := range map[string]string{
		"react": "kept", "ta": "two\nlines", "rich": "plain", "date": "2001-02-03", "time": "10:20", "color": "#ff0000", "range": "7",
		"sel": "germany", "cb": "true", "r1": "Female", "num": "42", "mail": "a@b.example",
	} {
		if _, err := p.Fill(t.Context(), Locator{"#" + id}, core.Text(v), nil); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	want := "kept|two\nlines|plain|2001-02-03|10:20|#ff0000|7|de|true|false|true|42|a@b.example"
	if got := script(t, p, `document.activeElement.blur();[react.value,ta.value,rich.innerText.trim(),date.value,time.value,color.value,range.value,sel.value,cb.checked,r1.checked,r2.checked,num.value,mail.value].join('|')`); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for _, id := range []string{"react", "ta", "date", "sel", "cb", "r2", "num"} {
		if got := script(t, p, "log.includes('"+id+"')"); got != "true" {
			t.Errorf("%s had no change event", id)
		}
	}
	_, err := p.Fill(t.Context(), Locator{"#date"}, core.Text("3rd of May"), nil)
	faulty(t, err, core.LayoutChanged, "2006-01-02")
	must[Seen](t)(p.Fill(t.Context(), Locator{"#ta"}, core.Text(""), nil))
	if got := script(t, p, "ta.value"); got != "" {
		t.Errorf("cleared: %q", got)
	}
}

func TestMaxlengthAndMasksAreErrors(t *testing.T) {
	p := opened(t, `<input id=m maxlength=5><input id=k oninput="this.value=this.value.toUpperCase()">`, nil)
	_, err := p.Fill(t.Context(), Locator{"#m"}, core.Text("too long"), nil)
	faulty(t, err, core.LayoutChanged, "5 of 8", "maxlength")
	_, err = p.Fill(t.Context(), Locator{"#k"}, core.Text("low"), nil)
	faulty(t, err, core.LayoutChanged, "did not take the text")
}

func TestTypePressHover(t *testing.T) {
	p := opened(t, `<input id=i><p id=log></p><div id=h style="width:50px;height:50px" onmouseenter="document.title='over'"></div>
		<script>i.addEventListener('keydown',e=>log.textContent+=e.key+(e.isTrusted?'':'?')+' ');i.addEventListener('keypress',e=>{if(e.key=='Enter')document.title='sent'})</script>`, nil)
	ctx := t.Context()
	must[Seen](t)(p.Type(ctx, Locator{"#i"}, core.Text("aB1!ệ"), nil))
	if got := script(t, p, "i.value+'|'+log.textContent"); got != "aB1!ệ|a B 1 ! " {
		t.Errorf("typed: %q", got)
	}
	must[Seen](t)(p.Press(ctx, Locator{"#i"}, "Enter", nil))
	if got := script(t, p, "document.title"); got != "sent" {
		t.Errorf("title %q", got)
	}
	must[Seen](t)(p.Hover(ctx, Locator{"#h"}, nil))
	if got := script(t, p, "document.title"); got != "over" {
		t.Errorf("title %q", got)
	}
	_, err := p.Press(ctx, Locator{"#i"}, "Hyper", nil)
	faulty(t, err, core.DriverError, "Hyper")
}

func TestChooseAndCheck(t *testing.T) {
	p := opened(t, `<select id=s><option value=a>Apple</option><option value=b>Pear (green)</option></select>
		<fieldset id=fs><label><input type=radio name=x value=1>One</label><label><input type=radio name=x value=2>Two</label></fieldset>
		<label id=lab><input type=checkbox id=c style="position:absolute;opacity:0;width:0;height:0">Agree</label>
		<div role=switch aria-checked=false id=sw tabindex=0 onclick="this.setAttribute('aria-checked',this.getAttribute('aria-checked')!='true')">Sw</div>
		<div role=combobox id=cmb tabindex=0 onclick="lb.hidden=false">Pick</div><ul id=lb role=listbox hidden><li role=option onclick="cmb.textContent=this.textContent;lb.hidden=true">Blue</li><li role=option>Red</li></ul>`, nil)
	ctx := t.Context()
	must[Seen](t)(p.Choose(ctx, Locator{"#s"}, []string{"none", "Pear*"}, nil))
	must[Seen](t)(p.Choose(ctx, Locator{"#fs"}, []string{"Two"}, nil))
	must[Seen](t)(p.Check(ctx, Locator{"label=Agree"}, true, nil))
	must[Seen](t)(p.Check(ctx, Locator{"#sw"}, true, nil))
	must[Seen](t)(p.Choose(ctx, Locator{"#cmb"}, []string{"blue"}, nil))
	if got := script(t, p, `[s.value,document.querySelector('[name=x]:checked').value,c.checked,sw.getAttribute('aria-checked'),cmb.textContent].join()`); got != "b,2,true,true,Blue" {
		t.Errorf("got %s", got)
	}
	_, err := p.Choose(ctx, Locator{"#s"}, []string{"Plum"}, nil)
	faulty(t, err, core.LayoutChanged, "Plum", "Apple")
	must[Seen](t)(p.Check(ctx, Locator{"#c"}, false, nil))
	if got := script(t, p, "c.checked"); got != "false" {
		t.Error("unchecked is", got)
	}
}

func TestPaste(t *testing.T) {
	p := opened(t, `<div id=plain contenteditable>old</div><div id=own contenteditable></div><textarea id=ta></textarea>
		<script>own.addEventListener('paste',e=>{e.preventDefault();own.innerHTML='<i>'+e.clipboardData.getData('text/html')+'</i>'});bad=0</script>`, nil)
	for _, id := range []string{"#plain", "#own", "#ta"} {
		must[Seen](t)(p.Paste(t.Context(), Locator{id}, `<p>Hi <a href="https://x.example/">there</a><img src=x onerror="bad=1"></p>`, nil))
	}
	if got := script(t, p, `[plain.querySelector('a').href,own.querySelector('i a').href,ta.value.includes('<p>Hi'),plain.textContent.includes('old'),bad,plain.querySelector('img').hasAttribute('onerror')].join()`); got != "https://x.example/,https://x.example/,true,false,0,false" {
		t.Errorf("got %s", got)
	}
}

func TestFramesAndShadowRoots(t *testing.T) {
	s := newSites(t, map[string]string{
		"/":                    `<div style="height:1500px"></div><iframe id=same src=/in width=300 height=120></iframe><iframe id=sub src="http://sub.site.test/in" width=300 height=120></iframe><iframe id=other src="http://other.test/in" style="border:7px solid;padding:3px" width=300 height=120></iframe>`,
		"/in":                  `<input id=i><button onclick="out.textContent='got '+i.value">Go</button><p id=out></p>`,
		"sub.site.test/in":     `<input id=i><button onclick="out.textContent='got '+i.value">Go</button><p id=out></p>`,
		"other.test/in":        `<div style="height:200px"></div><input id=i><button onclick="out.textContent='got '+i.value">Go</button><p id=out></p><iframe id=deep src="http://third.test/in"></iframe>`,
		"third.test/in":        `<button onclick="this.textContent='pushed'">Push</button>`,
		"site.test/irrelevant": ``,
	})
	p := newTab(t, s, nil)
	ctx := t.Context()
	must[Seen](t)(p.Open(ctx, "/", nil))
	for _, id := range []string{"#same", "#sub", "#other"} {
		must[Seen](t)(p.Fill(ctx, Locator{id + " >> #i"}, core.Text(id), nil))
		seen := must[Seen](t)(p.Click(ctx, Locator{id + " >> role=button[name=Go]"}, signs("out", id+" >> text=got *")))
		if seen != (Seen{Label: "out", Said: "got " + id}) {
			t.Errorf("%s: %+v", id, seen)
		}
		if got := must[string](t)(p.Text(ctx, Locator{id + " >> #out"})); got != "got "+id {
			t.Errorf("%s says %q", id, got)
		}
	}
	must[Seen](t)(p.Click(ctx, Locator{"#other >> #deep >> text=Push"}, nil))
	if ok := must[bool](t)(p.Exists(ctx, Locator{"#other >> #deep >> text=pushed"})); !ok {
		t.Error("a frame in a frame was not clicked")
	}
	ctx, cancel := deadline(t, 600*time.Millisecond)
	defer cancel()
	_, err := p.Click(ctx, Locator{"#other >> text=Nothing"}, nil)
	if f := faulty(t, err, core.LayoutChanged, "nothing matches"); !strings.Contains(f.Locator, "#other >>") {
		t.Errorf("locator %q", f.Locator)
	}
}
