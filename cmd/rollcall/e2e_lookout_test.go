package main_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// lookout stands before a site and writes down who comes when: what the site's
// operator would see.
type lookout struct {
	site *sandbox.Site
	url  string

	mu    sync.Mutex
	calls []*call
	was   map[string]string // a cookie that a context got later → its first one
}

// cookieOf is the cookie by which the sandbox's sites know a visitor again.
func cookieOf(all []*http.Cookie) string {
	for _, c := range all {
		if strings.HasSuffix(c.Name, "_session") {
			return c.Value
		}
	}
	return ""
}

// call is one request as it came in.
type call struct {
	at      time.Time
	method  string
	path    string
	page    bool   // a page that is opened or a form that is sent: what a driver waits for
	context string // the first cookie of the browser context
	names   []string
}

func newLookout(t *testing.T, site *sandbox.Site) *lookout {
	to, err := url.Parse(site.URL)
	if err != nil {
		t.Fatal(err)
	}
	o := &lookout{site: site, was: map[string]string{}}
	type key struct{}
	// Nothing is sent twice: a connection of its own for each request.
	road := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // links lead past the lookout
		},
		Transport: road,
		ModifyResponse: func(r *http.Response) error {
			o.mu.Lock()
			defer o.mu.Unlock()
			c, given := r.Request.Context().Value(key{}).(*call), cookieOf(r.Cookies())
			switch {
			case c.context == "":
				c.context = given
			case given != "" && given != c.context: // signed in
				o.was[given] = c.context
			}
			return nil
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{at: time.Now(), method: r.Method, path: r.URL.Path, names: r.URL.Query()["email"], context: cookieOf(r.Cookies())}
		to := r.Header.Get("Sec-Fetch-Dest") // not there: the runner reads a profile without a browser
		c.page = r.Method != http.MethodGet || to == "" || to == "document"
		for _, profiles := range []string{"/u/", "/thanh-vien/"} {
			if name, ok := strings.CutPrefix(r.URL.Path, profiles); ok {
				c.names = append(c.names, name)
			}
		}
		o.mu.Lock()
		if first, ok := o.was[c.context]; ok {
			c.context = first
		}
		o.calls = append(o.calls, c)
		o.mu.Unlock()
		if r.Method == http.MethodPost && strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				panic(http.ErrAbortHandler)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			if form, err := url.ParseQuery(string(body)); err == nil {
				o.mu.Lock()
				c.names = append(c.names, slices.Concat(form["email"], form["username"], form["login"])...)
				o.mu.Unlock()
			}
		}
		proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, c)))
	}))
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	o.url = server.URL
	return o
}
