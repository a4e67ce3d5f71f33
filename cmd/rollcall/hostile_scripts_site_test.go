package main_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

// targets are what hostile pages reach for, in every spelling that browsers know.
var targets = []string{
	"http://10.0.0.1/", "http://172.16.0.1/", "http://192.168.1.1:8080/", "http://169.254.169.254/latest/meta-data/",
	"http://127.0.0.1/", "http://127.0.0.2/", "http://localhost/", "http://[::1]/", "http://0.0.0.0/", "http://2130706433/", "http://0x7f.1/",
	"http://[::ffff:10.0.0.1]/", "http://[fd00:ec2::254]/", "http://[fe80::1]/", "https://8.8.8.8/", "http://8.8.8.8:3128/",
	"http://collect.example/", "https://collect.example/", "http://intranet/", "http://metadata.lure.test/", "http://inside.lure.test/",
}

// framed are the targets of pages that make a frame, and so a process, for each.
var framed = []string{"http://10.0.0.1/", "http://169.254.169.254/latest/meta-data/", "http://127.0.0.1/", "http://[::1]/", "https://collect.example/", "http://inside.lure.test/"}

// lures are the pages of the hostile site: what each does with one target u. The
// page says done when every target was tried.
var lures = map[string]string{
	"image":     `new Promise(r => { const e = new Image(); e.onload = e.onerror = r; e.src = u })`,
	"script":    `tag("script", { src: u })`,
	"style":     `tag("link", { rel: "stylesheet", href: u })`,
	"font":      `new FontFace("f" + n, "url(" + u + ")").load()`,
	"video":     `tag("video", { src: u, autoplay: "" })`,
	"frame":     `tag("iframe", { src: u })`,
	"object":    `tag("object", { data: u })`,
	"form":      `(tag("iframe", { name: "to" + n }), (f => { document.body.append(f); f.method = n % 2 ? "post" : "get"; f.action = u; f.target = "to" + n; f.submit() })(document.createElement("form")))`,
	"fetch":     `fetch(u, { mode: "no-cors", cache: "no-store" })`,
	"xhr":       `new Promise(r => { const x = new XMLHttpRequest(); x.onloadend = r; x.open("PUT", u); x.send("x") })`,
	"beacon":    `Promise.resolve(navigator.sendBeacon(u, "x"))`,
	"events":    `new Promise(r => { const e = new EventSource(u); e.onerror = r })`,
	"websocket": `new Promise(r => { const s = new WebSocket(u.replace("http", "ws")); s.onopen = s.onclose = s.onerror = r })`,
	"worker":    `new Promise(r => { const w = new Worker(URL.createObjectURL(new Blob(["fetch('" + u + "', { mode: 'no-cors' }).finally(() => { try { importScripts('" + u + "') } catch (e) {} new WebSocket('" + u.replace("http", "ws") + "'); postMessage(1) })"]))); w.onmessage = w.onerror = r })`,
	"shared":    `new Promise(r => { const w = new SharedWorker("/worker.js#" + n); w.port.onmessage = w.onerror = r; w.port.postMessage(u) })`,
	"service":   `navigator.serviceWorker.register("/worker.js").then(() => navigator.serviceWorker.ready).then(g => new Promise(r => { navigator.serviceWorker.onmessage = r; g.active.postMessage(u) }))`,
	"webrtc": `(async () => { const h = new URL(u).hostname; const c = new RTCPeerConnection({ iceServers: [{ urls: ["stun:" + h + ":3478", "turn:" + h + ":3478?transport=udp", "turn:" + h + ":3478?transport=tcp", "turns:" + h + ":443"], username: "a", credential: "b" }] });
		c.createDataChannel("x"); await c.setLocalDescription(await c.createOffer());
		await c.setRemoteDescription({ type: "answer", sdp: c.localDescription.sdp.replace("actpass", "active") }).catch(() => {});
		await c.addIceCandidate({ candidate: "candidate:1 1 udp 2130706431 " + h.replace(/[\[\]]/g, "") + " 19302 typ host", sdpMid: "0" }).catch(() => {});
		await new Promise(r => setTimeout(r, 400)) })()`,
	"transport": `new WebTransport(u.replace("http:", "https:").replace(/\/$/, ":443/")).ready`,
	"hints":     `Promise.all(["preconnect", "dns-prefetch", "prefetch", "preload", "modulepreload", "prerender", "icon", "manifest", "search"].map(rel => tag("link", { rel, href: u, as: "script" })))`,
	"rules":     `tag("script", { type: "speculationrules" }, JSON.stringify({ prefetch: [{ urls: [u] }], prerender: [{ urls: [u] }] }))`,
	"ping":      `(a => { document.body.append(a); a.href = "#" + n; a.ping = u; a.click() })(document.createElement("a"))`,
	"download":  `(a => { document.body.append(a); a.href = u; a.download = "x"; a.click() })(document.createElement("a"))`,
	"popup":     `Promise.resolve(window.open(u, "_blank", "noopener"))`,
	"redirect":  `fetch("/redirect?to=" + encodeURIComponent(u), { mode: "no-cors" })`,
	"moved":     `tag("iframe", { src: "/redirect?to=" + encodeURIComponent(u) })`,
	"refresh":   `tag("iframe", { srcdoc: "<meta http-equiv=refresh content='0;url=" + u + "'>" })`,
	"data":      `tag("iframe", { src: "data:text/html,<img src='" + u + "'><script>fetch('" + u + "',{mode:'no-cors'})<\/script>" })`,
	"svg":       `tag("iframe", { srcdoc: "<svg xmlns='http://www.w3.org/2000/svg'><image href='" + u + "'/><use href='" + u + "#a'/></svg>" })`,
	"rebind":    `fetch("http://rebind.lure.test/r" + n, { mode: "no-cors", cache: "no-store" })`,
	"headers":   `tag("iframe", { src: "/headers?to=" + encodeURIComponent(u) })`,
}

const lurePage = `<!doctype html><html lang=en><title>lure</title><body><script>
const targets = [%s], tag = (name, attrs, text) => new Promise(r => {
	const e = document.createElement(name); e.onload = e.onerror = r
	for (const k in attrs) e.setAttribute(k, attrs[k])
	if (text) e.textContent = text
	document.body.append(e)
})
const soon = p => Promise.race([Promise.resolve(p).catch(() => {}), new Promise(r => setTimeout(r, 700))])
const lure = (u, n) => { try { return %s } catch (e) { return null } }
addEventListener("load", async () => {
	await Promise.all(targets.map((u, n) => soon(lure(u, n))))
	document.body.insertAdjacentHTML("afterbegin", "<p id=done>tried " + targets.length + "</p>")
})
</script>`

const lureWorker = `const go = (u, back) => fetch(u, { mode: "no-cors" }).finally(() => { try { new WebSocket(u.replace("http", "ws")) } catch (e) {} back.postMessage(1) })
onconnect = e => { const p = e.ports[0]; p.onmessage = m => go(m.data, p) }
onmessage = m => go(m.data, m.source)
onactivate = e => e.waitUntil(clients.claim())
`

// lureSite is the site that hostile drivers are for; whoever runs it is in
// league with them.
type lureSite struct {
	server *httptest.Server
	url    string

	mu    sync.Mutex
	posts map[string]int // sign-ups that arrived, by driver
	twin  int            // requests to the declared host of another name
	wire  []string       // every request as it came
}

func newLureSite(t *testing.T, o *outside) *lureSite {
	s := &lureSite{posts: map[string]int{}}
	s.server = httptest.NewServer(http.HandlerFunc(s.serve))
	s.url = s.server.URL
	l := o.listen("tcp4", netip.AddrPortFrom(publicSite, 80))
	twin := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.twin++
		s.mu.Unlock()
		w.Header().Set("Connection", "close")
		s.serve(w, r)
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		twin.Serve(l)
	}()
	t.Cleanup(func() {
		twin.Close()
		<-done
		s.server.CloseClientConnections()
		s.server.Close()
	})
	return s
}

func (s *lureSite) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	whose := "own"
	if "http://"+r.Host != s.url {
		whose = r.Host
	}
	s.mu.Lock()
	if len(s.wire) < 100_000 {
		s.wire = append(s.wire, fmt.Sprintf("%s %s %s %v %s", whose, r.Method, r.URL, r.Header, body))
	}
	s.mu.Unlock()
	page := func(format string, args ...any) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, format, args...)
	}
	to := r.URL.Query().Get("to")
	kind, isLure := strings.CutPrefix(r.URL.Path, "/lure/")
	switch {
	case isLure && lures[kind] != "":
		own := targets
		if strings.Contains(lures[kind], "iframe") || kind == "object" {
			own = framed
		}
		page(lurePage, `"`+strings.Join(own, `", "`)+`"`, lures[kind])
	case r.URL.Path == "/worker.js":
		w.Header().Set("Content-Type", "text/javascript")
		io.WriteString(w, lureWorker)
	case r.URL.Path == "/redirect":
		http.Redirect(w, r, to, http.StatusFound)
	case r.URL.Path == "/headers":
		h := w.Header()
		h.Set("Link", "<"+to+">; rel=preload; as=script, <"+to+">; rel=preconnect")
		h.Set("Alt-Svc", `h3=":443"; ma=60`)
		h.Set("Content-Security-Policy", "default-src 'none'; report-uri "+to)
		h.Set("Report-To", `{"group":"g","max_age":60,"endpoints":[{"url":"`+to+`"}]}`)
		h.Set("NEL", `{"report_to":"g","max_age":60,"success_fraction":1}`)
		page("<img src=/x>")
	case r.URL.Path == "/signup" && r.Method == http.MethodPost:
		s.mu.Lock()
		s.posts[r.URL.Query().Get("by")]++
		s.mu.Unlock()
		http.Redirect(w, r, "/welcome", http.StatusSeeOther)
	case r.URL.Path == "/signup":
		by := r.URL.Query().Get("by")
		page(`<!doctype html><html lang=en><title>Sign up</title><form id=form method=post action="/signup?by=%s">
			<label>Name <input id=name name=name></label><label>Password <input id=password name=password type=password></label>
			<label>Picture <input id=file name=file type=file></label><label>About <textarea id=about name=about></textarea></label>
			<select id=kind name=kind><option>a<option>b</select><div id=rich contenteditable>x</div>
			<button id=go>Sign up</button><button id=again formaction="/signup?by=%s&again=1">Again</button></form>`, by, by)
	case r.URL.Path == "/away": // a form that carries a password away
		page(`<!doctype html><title>Away</title><form action="%s" method=post><input id=password name=password type=password><button id=go>Go</button></form>`, to)
	case r.URL.Path == "/shift": // a field that stops being secret once it is filled
		page(`<!doctype html><title>Shift</title><input id=password type=password><p id=out></p>
			<script>password.oninput = () => { password.type = "text"; out.textContent = password.value; document.title = password.value; history.replaceState(0, "", "/shift?p=" + encodeURIComponent(password.value)) }</script>`)
	case r.URL.Path == "/get":
		page(`<!doctype html><title>Get</title><form action="/got"><input id=password name=password type=password><button id=go>Go</button></form>`)
	case r.URL.Path == "/got":
		page(`<!doctype html><title>%s</title><p id=out>%s</p><p role=alert>no: %s</p>`, r.FormValue("password"), r.FormValue("password"), r.FormValue("password"))
	case r.URL.Path == "/inside" || r.URL.Path == "/welcome" || r.URL.Path == "/" || strings.HasPrefix(r.URL.Path, "/u/"):
		page(`<!doctype html><title>Site</title><p id=done>here</p>`)
	default:
		http.NotFound(w, r)
	}
}

// names answers for the hosts of the hostile site. One of them is at another
// address each time somebody asks.
func names() func(name string) (netip.Addr, bool) {
	private := []netip.Addr{
		netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("169.254.169.254"), netip.MustParseAddr("192.168.1.1"),
	}
	var mu sync.Mutex
	asked := 0
	return func(name string) (netip.Addr, bool) {
		switch name {
		case "twin.lure.test":
			return publicSite, true
		case "inside.lure.test":
			return netip.MustParseAddr("10.0.0.1"), true
		case "metadata.lure.test":
			return netip.MustParseAddr("169.254.169.254"), true
		case "rebind.lure.test":
			mu.Lock()
			defer mu.Unlock()
			if asked++; asked%2 == 1 {
				return publicSite, true
			}
			return private[asked/2%len(private)], true
		}
		if strings.HasPrefix(name, "inside.") && strings.HasSuffix(name, ".hostile.test") {
			return netip.MustParseAddr("10.0.0.1"), true
		}
		return netip.Addr{}, false
	}
}
