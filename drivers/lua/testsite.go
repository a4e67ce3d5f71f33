package lua

import (
	"cmp"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
)

// maxForm is how much of a request's body a test reads, in bytes.
const maxForm = 8 << 20

// testSite answers the routes of one test on loopback and remembers what was sent.
type testSite struct {
	base   string
	routes map[string]*route
	expand func(string) string
	server *http.Server
	done   chan struct{}

	mu       sync.Mutex
	unlisted []string
	sent     map[string]url.Values // the last form of each route
}

type route struct {
	answers []Answer
	bodies  [][]byte
	next    int
}

// newTestSite reads the files of the routes and begins to serve.
func newTestSite(t Test, files fs.FS, dir string, expand func(text, base string) string) (*testSite, error) {
	s := &testSite{routes: map[string]*route{}, sent: map[string]url.Values{}, done: make(chan struct{})}
	for _, r := range t.Site {
		to := &route{answers: r.Answers}
		for _, a := range r.Answers {
			body := []byte(a.Body)
			if a.File != "" {
				var err error
				if files == nil {
					return nil, fmt.Errorf("%s %s: there are no test files, so no %s", r.Method, r.Path, a.File)
				}
				if body, err = fs.ReadFile(files, path.Join(dir, a.File)); err != nil {
					return nil, fmt.Errorf("%s %s: %w", r.Method, r.Path, err)
				}
			}
			to.bodies = append(to.bodies, body)
		}
		s.routes[r.Method+" "+r.Path] = to
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.base = "http://" + l.Addr().String()
	s.expand = func(text string) string { return expand(text, s.base) }
	s.server = &http.Server{Handler: s}
	go func() {
		defer close(s.done)
		_ = s.server.Serve(l) // ends with close
	}()
	return s, nil
}

func (s *testSite) close() {
	_ = s.server.Close()
	<-s.done
}

// ServeHTTP answers a listed route; an unlisted page is a failure of the test,
// an unlisted picture or style is not.
func (s *testSite) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.Method + " " + r.URL.RequestURI()
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		_ = r.ParseMultipartForm(maxForm) // what can't be read was not sent
	} else {
		_ = r.ParseForm()
	}
	s.mu.Lock()
	to := s.routes[name]
	if to == nil {
		if dest := r.Header.Get("Sec-Fetch-Dest"); r.URL.Path != "/favicon.ico" && (dest == "" || dest == "document" || dest == "empty" || dest == "iframe") {
			if !slices.Contains(s.unlisted, name) {
				s.unlisted = append(s.unlisted, name)
			}
		}
		s.mu.Unlock()
		http.Error(w, name+" is not listed in the test's site", http.StatusNotFound)
		return
	}
	form := url.Values{}
	for k, v := range r.PostForm {
		form[k] = v
	}
	if r.MultipartForm != nil {
		for k, v := range r.MultipartForm.Value {
			form[k] = v
		}
		for k, v := range r.MultipartForm.File {
			for _, f := range v {
				form.Add(k, f.Filename)
			}
		}
	}
	s.sent[name] = form
	at := min(to.next, len(to.answers)-1)
	to.next++
	a, body := to.answers[at], to.bodies[at]
	s.mu.Unlock()

	for k, v := range a.Headers {
		w.Header().Set(k, s.expand(v))
	}
	if a.Redirect != "" {
		w.Header().Set("Location", s.expand(a.Redirect))
		w.WriteHeader(cmp.Or(a.Status, http.StatusSeeOther))
		return
	}
	w.Header().Set("Content-Type", cmp.Or(a.Type, "text/html; charset=utf-8"))
	w.WriteHeader(cmp.Or(a.Status, http.StatusOK))
	_, _ = w.Write([]byte(s.expand(string(body)))) // a browser that left is no failure of the test
}
