package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// planter is a site that plants everything a page can leave in a browser, on its
// own host, on one below it and from a frame of another site, and that looks for
// it again. Hosts below localhost count as secure without TLS.
type planter struct {
	*httptest.Server
	mu     sync.Mutex
	issued int            // ids in answers that may be cached for ever
	hits   map[string]int // by path
}

const (
	plantHome  = "http://site.localhost"
	plantBelow = "http://a.site.localhost"
	plantOther = "http://other.localhost"
)

func newPlanter(t testing.TB) *planter {
	p := &planter{hits: map[string]int{}}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	return p
}

func (p *planter) count(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hits[path]
}

func (p *planter) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.hits[r.URL.Path]++
	p.mu.Unlock()
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "text/html; charset=utf-8")
	page := func(script string) {
		fmt.Fprintf(w, "<!doctype html><title>x</title><body><script>%s</script>", script)
	}
	switch r.URL.Path {
	case "/plant", "/plant-frame":
		name := strings.ReplaceAll(r.Host, ".", "-")
		h.Add("Set-Cookie", "only-"+name+"=1; HttpOnly; Path=/; Secure; SameSite=None")
		h.Add("Set-Cookie", "apart-"+name+"=1; Path=/; Secure; SameSite=None; Partitioned")
		if strings.HasSuffix(r.Host, "site.localhost") {
			h.Add("Set-Cookie", "wide=1; Domain=site.localhost; Path=/; Max-Age=100000")
		}
		page(plantScript)
	case "/look", "/look-frame":
		page(lookScript)
	case "/popup":
		page(popupScript)
	case "/sw.js":
		h.Set("Content-Type", "text/javascript")
		fmt.Fprint(w, `oninstall = e => skipWaiting(); onactivate = e => e.waitUntil(clients.claim())
onfetch = e => { if (e.request.url.endsWith("/probe")) e.respondWith(new Response("the worker")) }`)
	case "/shared.js":
		h.Set("Content-Type", "text/javascript")
		fmt.Fprint(w, `let n = 0; onconnect = e => e.ports[0].postMessage(++n)`)
	case "/busy.js": // a worker that stores for as long as it lives
		h.Set("Content-Type", "text/javascript")
		fmt.Fprint(w, `(async () => { for (let i = 0; ; i++) await (await caches.open("busy" + i % 5)).put("/x" + i % 5, new Response("x")) })(); postMessage("busy")`)
	case "/id.js":
		p.mu.Lock()
		p.issued++
		id := p.issued
		p.mu.Unlock()
		h.Set("Content-Type", "text/javascript")
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("ETag", fmt.Sprintf(`"%d"`, id))
		fmt.Fprintf(w, "window.id = %d", id)
	case "/cookies":
		fmt.Fprint(w, r.Header.Get("Cookie"))
	case "/probe":
		fmt.Fprint(w, "the site")
	case "/auth":
		user, _, ok := r.BasicAuth()
		if !ok {
			h.Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, user)
	case "/beacon", "/tick":
		w.WriteHeader(http.StatusNoContent)
	default:
		http.NotFound(w, r)
	}
}

// shared by the scripts: a promise of an IndexedDB request, a frame's answer, and
// what both the page and its frames do.
const plantCommon = `
const done = r => new Promise((ok, no) => { r.onsuccess = () => ok(r.result); r.onerror = () => no(r.error) })
const frame = src => new Promise(ok => {
	const f = document.createElement("iframe")
	addEventListener("message", e => { if (e.source === f.contentWindow) ok(e.data) })
	f.src = src
	document.body.append(f)
})
const script = src => new Promise((ok, no) => { const s = document.createElement("script"); s.src = src; s.onload = () => ok(window.id); s.onerror = no; document.head.append(s) })
const shared = () => new Promise(ok => { window.sharedWorker = new SharedWorker("/shared.js"); sharedWorker.port.onmessage = e => ok(e.data) })
`

const plantScript = plantCommon + `
const store = async () => {
	document.cookie = "plain=1; path=/; max-age=100000"
	localStorage.person = "1"
	sessionStorage.person = "1"
	const open = indexedDB.open("person")
	open.onupgradeneeded = () => open.result.createObjectStore("o")
	await done(open)
	await (await caches.open("person")).put("/x", new Response("1"))
	await (await navigator.storage.getDirectory()).getFileHandle("person", {create: true})
	if (navigator.storageBuckets) await navigator.storageBuckets.open("person")
}
const plant = async () => {
	await store()
	await frame("http://a.site.localhost/plant-frame")
	await frame("http://other.localhost/plant-frame")
	await navigator.serviceWorker.register("/sw.js")
	await navigator.serviceWorker.ready
	await new Promise(ok => { const x = new XMLHttpRequest(); x.open("GET", "/auth", true, "person", "secret"); x.onloadend = ok; x.send() })
	window.name = "person"
	for (let i = 0; i < 3; i++) history.pushState({}, "", "/plant?" + i)
	await shared()
	const worker = new Worker("/busy.js")
	await new Promise(ok => worker.onmessage = ok)
	addEventListener("beforeunload", e => { e.preventDefault(); e.returnValue = "stay" })
	addEventListener("pagehide", () => { navigator.sendBeacon("/beacon"); fetch("/beacon", {keepalive: true, method: "POST"}) })
	const up = new BroadcastChannel("up")
	const opened = new Promise(ok => up.onmessage = ok)
	if (!window.open("/popup", "popup")) throw Error("no pop-up")
	await opened
	return script("/id.js")
}
if (location.pathname === "/plant-frame") store().then(() => parent.postMessage("planted", "*"), e => parent.postMessage(String(e), "*"))
`

const popupScript = plantCommon + `
addEventListener("beforeunload", e => { e.preventDefault(); e.returnValue = "stay" })
new BroadcastChannel("ask").onmessage = e => new BroadcastChannel("tell").postMessage("the pop-up")
setInterval(() => fetch("/tick"), 20)
shared().then(() => new BroadcastChannel("up").postMessage("up"))
`

const lookScript = plantCommon + `
const see = async () => {
	const out = {
		cookies: document.cookie, sent: await (await fetch("/cookies")).text(), local: JSON.stringify(localStorage), session: JSON.stringify(sessionStorage),
		databases: (await indexedDB.databases()).map(d => d.name).join(), caches: (await caches.keys()).filter(n => !n.startsWith("busy")).join(), files: "",
		busy: (await caches.keys()).some(n => n.startsWith("busy")),
		buckets: navigator.storageBuckets ? (await navigator.storageBuckets.keys()).join() : "",
	}
	for await (const name of (await navigator.storage.getDirectory()).keys()) out.files += name
	return out
}
const look = async patience => {
	const out = await see()
	for (const [key, origin] of [["below", "http://a.site.localhost"], ["other", "http://other.localhost"]]) out[key] = JSON.stringify(await frame(origin + "/look-frame"))
	out.workers = (await navigator.serviceWorker.getRegistrations()).length
	out.controlled = !!navigator.serviceWorker.controller
	out.probe = await (await fetch("/probe")).text()
	out.auth = (await fetch("/auth")).status
	out.name = window.name
	out.history = history.length
	out.shared = await shared()
	out.channel = await new Promise(ok => { new BroadcastChannel("tell").onmessage = e => ok(e.data); new BroadcastChannel("ask").postMessage("?"); setTimeout(ok, patience, "nobody") })
	return JSON.stringify(out)
}
if (location.pathname === "/look-frame") see().then(out => parent.postMessage(out, "*"), e => parent.postMessage(String(e), "*"))
`
