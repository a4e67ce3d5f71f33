package browser

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

func TestStaleSignDoesNotCount(t *testing.T) {
	p := opened(t, `<p id=ok>Saved</p><p id=err hidden>Refused</p><button id=none>None</button>
		<button id=same onclick="setTimeout(()=>{const e=ok;e.remove();document.body.append(e)},50)">Again</button>
		<button id=replace onclick="setTimeout(()=>{ok.outerHTML='<p id=ok>Saved</p>'},50)">Replace</button>
		<button id=textagain onclick="setTimeout(()=>{ok.textContent='Saved'},50)">Text</button>
		<button id=blink onclick="setTimeout(()=>ok.hidden=true,30);setTimeout(()=>ok.hidden=false,90)">Blink</button>
		<button id=text onclick="setTimeout(()=>ok.textContent='Saved 2',50)">Other text</button>
		<button id=other onclick="setTimeout(()=>err.hidden=false,50)">Err</button>`, nil)
	ctx := t.Context()
	begun := time.Now()
	_, err := p.Click(ctx, Locator{"#none"}, in(400*time.Millisecond, signs("saved", "#ok")))
	faulty(t, err, core.LayoutChanged, "none of its signs came", "saved (#ok)")
	if took := time.Since(begun); took < 400*time.Millisecond || took > 2*time.Second {
		t.Errorf("a stale sign ended the wait after %v", took)
	}
	for _, id := range []string{"#same", "#replace", "#textagain", "#blink", "#text"} {
		if seen, err := p.Click(ctx, Locator{id}, in(2*time.Second, signs("saved", "#ok", "bad", "#err"))); err != nil || seen.Label != "saved" {
			t.Errorf("%s: %+v, %v", id, seen, err)
		}
	}
	if seen := must[Seen](t)(p.Click(ctx, Locator{"#other"}, signs("saved", "#ok", "bad", "#err"))); seen != (Seen{Label: "bad", Said: "Refused"}) {
		t.Errorf("%+v", seen)
	}
}

func TestSignsAcrossDocuments(t *testing.T) {
	s := newSites(t, nil)
	s.handle("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `<p class=message>Enter it</p><form method=post action="/?done=1"><button>Save</button></form>`)
	})
	p := newTab(t, s, nil)
	ctx := t.Context()
	must[Seen](t)(p.Open(ctx, "/", signs("form", "form")))
	seen := must[Seen](t)(p.Click(ctx, Locator{"button"}, signs("set", ".message")))
	if seen != (Seen{Label: "set", Said: "Enter it"}) {
		t.Errorf("%+v", seen)
	}
	if seen := must[Seen](t)(p.Click(ctx, Locator{"button"}, signs("back", "url=done=*1", "no", "#never"))); seen.Label != "back" {
		t.Errorf("the same address in a new document: %+v", seen)
	}
}

func TestURLAndGoneSigns(t *testing.T) {
	p := opened(t, `<p id=spin hidden>…</p><button id=push onclick="setTimeout(()=>history.pushState(0,'','/profile/7?tab=bio'),30)">Push</button>
		<button id=load onclick="spin.hidden=false;setTimeout(()=>spin.hidden=true,60)">Load</button><button id=idle>Idle</button>`, nil)
	ctx := t.Context()
	if seen := must[Seen](t)(p.Click(ctx, Locator{"#push"}, signs("at", "url=/profile/*bio"))); seen.Label != "at" {
		t.Errorf("%+v", seen)
	}
	if seen := must[Seen](t)(p.Click(ctx, Locator{"#load"}, signs("loaded", "gone=#spin"))); seen.Label != "loaded" {
		t.Errorf("%+v", seen)
	}
	for _, sign := range []string{"gone=#spin", "url=/profile"} {
		_, err := p.Click(ctx, Locator{"#idle"}, in(300*time.Millisecond, signs("x", sign)))
		faulty(t, err, core.LayoutChanged)
	}
	if seen := must[Seen](t)(p.Await(ctx, *signs("now", "url=/profile", "other", "#spin"))); seen.Label != "now" {
		t.Errorf("await counts what is there: %+v", seen)
	}
}

func TestTwoSignsAtOnceAreAnError(t *testing.T) {
	p := opened(t, `<button onclick="document.body.insertAdjacentHTML('beforeend','<p class=ok>Saved</p><p class=no>Not all</p>')">Go</button>`, nil)
	_, err := p.Click(t.Context(), Locator{"button"}, signs("ok", ".ok", "no", ".no"))
	faulty(t, err, core.LayoutChanged, "several signs at once", "ok (.ok)", "no (.no)")
}

func TestSaidIsTheTextOfAllMatches(t *testing.T) {
	p := opened(t, `<button onclick="for(const x of ['One','Two']){const d=document.createElement('div');d.className='error';d.textContent=x;document.body.append(d)}">Go</button>`, nil)
	if seen := must[Seen](t)(p.Click(t.Context(), Locator{"button"}, signs("no", "div.error"))); seen.Said != "One Two" {
		t.Errorf("%+v", seen)
	}
}

func TestStatuses(t *testing.T) {
	s := newSites(t, map[string]string{"/": `<a href=/limited>a</a><form method=post action=/down><button>Go</button></form><button id=ajax onclick="fetch('/limited')">Ajax</button>`})
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "77")
			w.WriteHeader(status)
			fmt.Fprint(w, "<title>sorry</title><p class=error>"+body)
		}
	}
	s.handle("/limited", answer(429, "slow down"))
	s.handle("/down", answer(503, "maintenance"))
	s.handle("/gone", answer(404, "There is no such page <form id=editform></form>"))
	p := newTab(t, s, nil)
	ctx := t.Context()
	waits := func(err error, code core.Code) {
		t.Helper()
		a, ok := err.(*SiteAnswer)
		if !ok || a.Outcome.Code != code || a.Outcome.Status != core.Waiting || a.Outcome.After != 77*time.Second {
			t.Errorf("got %v, want waiting(%s)", err, code)
		}
	}
	_, err := p.Open(ctx, "/limited", nil)
	waits(err, core.RateLimited)
	_, err = p.Open(ctx, "/down", signs("never", "#never"))
	waits(err, core.SiteDown)
	_, err = p.Open(ctx, "/gone", nil)
	faulty(t, err, core.HTTPError, "404", "There is no such page")
	_, err = p.Open(ctx, "/gone", signs("never", "#never"))
	faulty(t, err, core.HTTPError, "404")
	if seen := must[Seen](t)(p.Open(ctx, "/gone", signs("form", "p.error", "never", "#never"))); seen.Label != "form" {
		t.Errorf("a sign explains a 404: %+v", seen)
	}
	must[Seen](t)(p.Open(ctx, "/", nil))
	_, err = p.Click(ctx, Locator{"button:not([id])"}, signs("never", "#never"))
	waits(err, core.SiteDown)
	must[Seen](t)(p.Open(ctx, "/", nil))
	_, err = p.Click(ctx, Locator{"#ajax"}, in(500*time.Millisecond, signs("never", "#never")))
	waits(err, core.RateLimited)
	must[Seen](t)(p.Open(ctx, "/", nil))
	must[Seen](t)(p.Click(ctx, Locator{"a"}, nil))
	short, cancel := deadline(t, time.Second)
	defer cancel()
	_, err = p.Fill(short, Locator{"#x"}, core.Text("x"), nil)
	waits(err, core.RateLimited)
}

func TestSignsAreChecked(t *testing.T) {
	p := opened(t, `<button>Go</button>`, nil)
	for _, s := range []*Signs{{}, signs("", "#a"), signs("a", "#a", "a", "#b"), signs("a", ""), signs("a", "url="), signs("a", "##"), in(-1, signs("a", "#a")), in(24*time.Hour, signs("a", "#a")), {List: []Sign{{Label: "a"}}}} {
		_, err := p.Click(t.Context(), Locator{"button"}, s)
		faulty(t, err, core.DriverError)
	}
}

func TestMutatingPage(t *testing.T) {
	p := opened(t, `<div id=feed></div><p id=n></p><button onclick="setTimeout(()=>n.className='ok',200)">Go</button>
		<script>setInterval(()=>{feed.innerHTML='<i>'.repeat(200)+Math.random()},1)</script>`, nil)
	script(t, p, `n.textContent="there"`)
	if seen := must[Seen](t)(p.Click(t.Context(), Locator{"button"}, signs("ok", "p.ok"))); seen.Said != "there" {
		t.Errorf("%+v", seen)
	}
}

func TestSignInAFrameOfAnotherOrigin(t *testing.T) {
	s := newSites(t, map[string]string{
		"/":            `<iframe id=f src="http://other.test/w"></iframe><button onclick="f.contentWindow.postMessage('go','*')">Go</button>`,
		"other.test/w": `<p class=ok>old</p><script>onmessage=()=>setTimeout(()=>document.querySelector('p').textContent='new',100)</script>`,
	})
	p := newTab(t, s, nil)
	must[Seen](t)(p.Open(t.Context(), "/", signs("there", "#f >> .ok")))
	if seen := must[Seen](t)(p.Click(t.Context(), Locator{"button"}, signs("ok", "#f >> .ok"))); seen.Said != "new" {
		t.Errorf("%+v", seen)
	}
}

// TestAFrameThatMovesToAProcessOfItsOwn: its old process may tell of the old
// document's world after the new one told of the new document's.
func TestAFrameThatMovesToAProcessOfItsOwn(t *testing.T) {
	p := opened(t, `<p>there</p>`, nil)
	tell := func(session, method, params string) { p.event(session, method, json.RawMessage(params)) }
	created := func(session, id string) {
		tell(session, "Runtime.executionContextCreated", `{"context":{"name":"`+worldName+`","uniqueId":"`+id+`","auxData":{"frameId":"F"}}}`)
	}
	is := func(when, want string) {
		t.Helper()
		p.mu.Lock()
		defer p.mu.Unlock()
		if w, _ := p.st.world("F"); w.id != want {
			t.Errorf("%s: the frame's world is %q, want %q", when, w.id, want)
		}
	}
	created(p.session, "blank")
	is("in the tab's process", "blank")
	tell(p.session, "Target.attachedToTarget", `{"sessionId":"S","targetInfo":{"targetId":"F","type":"iframe"}}`)
	created("S", "own")
	created(p.session, "late")
	is("with two processes", "own")
	tell(p.session, "Runtime.executionContextDestroyed", `{"executionContextUniqueId":"late"}`)
	tell(p.session, "Runtime.executionContextDestroyed", `{"executionContextUniqueId":"blank"}`)
	is("when the old process is done", "own")
	created(p.session, "back")
	tell(p.session, "Target.detachedFromTarget", `{"sessionId":"S"}`)
	is("back in the tab's process", "back")
	tell(p.session, "Runtime.executionContextsCleared", `{}`)
	is("without a document", "")
}
