package main_test

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/browser"
)

// mute are the lures that reach for nobody even when nothing stands in between:
// Chromium itself, as it is started here, does not do what they ask for.
var mute = map[string]string{"transport": "QUIC is switched off"}

// TestHostilePagesReachOutWhereNothingStandsInBetween gives the very browser of
// the runner a proxy that refuses nothing: then the pages of the corpus do
// connect, so that nothing arriving in TestHostileScripts is the egress port's doing.
func TestHostilePagesReachOutWhereNothingStandsInBetween(t *testing.T) {
	if !inside(t) {
		return
	}
	o := newOutside(t, names())
	site := newLureSite(t, o)
	dir, err := os.MkdirTemp(temporary, "control-")
	if err == nil {
		err = os.Chmod(dir, 0o711)
	}
	if err != nil {
		t.Fatal(err)
	}
	chromium, err := browser.Launch(t.Context(), browser.Options{
		Headless: true, Sandbox: true, Dir: filepath.Join(dir, "browser"),
		ExtraFlags: []string{"--host-resolver-rules=", "--webrtc-ip-handling-policy=default", "--force-webrtc-ip-handling-policy=default"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer chromium.Close()
	open := openProxy(t)
	kinds := slices.Sorted(maps.Keys(lures))
	if os.Getenv(wholeEnv) == "" {
		kinds = []string{"fetch", "frame", "image", "webrtc", "websocket", "worker"}
	}
	reached := 0
	for _, kind := range kinds {
		o.taken()
		openUnprotected(t, chromium, open.URL, site.url, "/lure/"+kind, func() bool { return mute[kind] != "" || o.any() })
		arrived, asked := o.taken()
		if len(arrived)+len(asked) > 0 {
			reached++
		} else if mute[kind] == "" {
			t.Errorf("%s reaches nobody although nothing stands in between: its driver proves nothing", kind)
		}
		t.Logf("%s: %d targets, %d names", kind, len(arrived), len(asked))
	}
	sayFigures(t, fmt.Sprintf("without the egress port %d of %d kinds of page connect", reached, len(kinds)))
}

// openUnprotected opens a page behind a proxy that refuses nothing, and leaves it
// open until something came of it.
func openUnprotected(t *testing.T, chromium *browser.Chromium, proxy, base, path string, came func() bool) {
	t.Helper()
	bc, err := chromium.Context(t.Context(), proxy, core.ContextOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer bc.Close()
	page, err := browser.Attach(t.Context(), core.Session{
		ControlURL: bc.ControlURL(), ContextID: bc.ContextID(), TargetID: bc.TargetID(), Base: base, Services: silent{},
	}, browser.AttachOptions{Task: core.Task{Domain: "lure.hostile.test"}, Phase: core.Login})
	if err != nil {
		t.Fatal(err)
	}
	defer page.Close()
	signs := browser.Signs{List: []browser.Sign{{Label: "done", Any: browser.Locator{"#done"}}}, Timeout: 20 * time.Second}
	if _, err := page.Open(t.Context(), path, &signs); err != nil && !strings.Contains(path, "popup") && !strings.Contains(path, "download") {
		t.Logf("%s: %v", path, err)
	}
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond) // a packet that is counted gives no signal
	defer tick.Stop()
	for !came() {
		select {
		case <-tick.C:
		case <-deadline.C:
			return
		}
	}
}

// openProxy forwards whatever it is asked for.
func openProxy(t *testing.T) *httptest.Server {
	transport := &http.Transport{DisableKeepAlives: true}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			r.RequestURI = ""
			answer, err := transport.RoundTrip(r)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
			defer answer.Body.Close()
			maps.Copy(w.Header(), answer.Header)
			w.WriteHeader(answer.StatusCode)
			io.Copy(w, answer.Body)
			return
		}
		to, err := net.DialTimeout("tcp", r.Host, patience)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		to.Close() // to have connected is what counts
		http.Error(w, "connected", http.StatusBadGateway)
	}))
	t.Cleanup(s.Close)
	return s
}

// silent are services that nothing is asked of.
type silent struct{ core.Services }
