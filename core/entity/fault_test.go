package entity

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// transient asserts that err is a TransientError with that ambiguity, that no
// error shows the key, and that its text has want in it.
func transient(t *testing.T, what string, err error, ambiguous bool, want string) {
	t.Helper()
	var te *core.TransientError
	if !errors.As(err, &te) {
		t.Errorf("%s: %T %v, want a TransientError", what, err, err)
		return
	}
	if te.Ambiguous != ambiguous {
		t.Errorf("%s: ambiguous is %v: %v", what, te.Ambiguous, err)
	}
	if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), apiKey) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%s: %q, want %q in it", what, err, want)
	}
}

func TestUnreachableServerIsNotAmbiguous(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := "http://" + l.Addr().String()
	_ = l.Close()
	transient(t, "refused", client(t, refused).Start(t.Context(), "a"), false, "refused")

	resolver := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no name server here")
	}}
	dns := client(t, "https://manager.invalid", func(o *Options) {
		o.Transport = &http.Transport{DialContext: (&net.Dialer{Resolver: resolver}).DialContext}
	})
	transient(t, "dns", dns.Start(t.Context(), "a"), false, "manager.invalid")
}

func TestUntrustedCertificateStopsTheCall(t *testing.T) {
	var reached atomic.Bool
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
	s.Config.ErrorLog = nil
	s.Config.ErrorLog = quiet()
	s.StartTLS()
	t.Cleanup(s.Close)
	transient(t, "tls", client(t, s.URL).Start(t.Context(), "a"), false, "certificate")
	if reached.Load() {
		t.Error("the request was sent to a server with an untrusted certificate")
	}
}

func TestCutConnectionIsAmbiguousForPostsOnly(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"reset after the request": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			conn, _, _ := w.(http.Hijacker).Hijack()
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
		},
		"closed without an answer": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			_ = conn.Close()
		},
		"closed in the body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"success":true`)
			panic(http.ErrAbortHandler)
		},
		"no HTTP": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			_, _ = io.WriteString(conn, "220 mail.test ESMTP\r\n")
			_ = conn.Close()
		},
	} {
		var calls atomic.Int32
		s := server(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				calls.Add(1)
			}
			h(w, r)
		})
		c := client(t, s.URL)
		_, err := c.Get(t.Context(), "a")
		transient(t, name+", get", err, false, "get: ")
		transient(t, name+", complete", c.Complete(t.Context(), "a", core.Report{LinkProfile: "https://x.test/u"}), true, "complete: ")
		transient(t, name+", start", c.Start(t.Context(), "a"), true, "start: ")
		if n := calls.Load(); n != 2 {
			t.Errorf("%s: the server saw %d POSTs of 2 calls", name, n)
		}
	}
}

func TestSilentServerIsLeftAtTheDeadline(t *testing.T) {
	for name, h := range map[string]func(w http.ResponseWriter){
		"no headers": func(http.ResponseWriter) {},
		"no body": func(w http.ResponseWriter) {
			w.WriteHeader(200)
			_ = http.NewResponseController(w).Flush()
		},
		"half a body": func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, `{"success":true,`)
			_ = http.NewResponseController(w).Flush()
		},
	} {
		s := server(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			h(w)
			<-r.Context().Done()
		})
		c := client(t, s.URL, func(o *Options) { o.Timeout = 100 * time.Millisecond })
		began := time.Now()
		err := c.Complete(t.Context(), "a", core.Report{LinkProfile: "https://x.test/u"})
		transient(t, name, err, true, "within 100ms")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v is not a deadline", name, err)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("%s: returned after %s", name, took)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	s := server(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel(errors.New("the runner stops"))
		<-r.Context().Done()
	})
	err := client(t, s.URL).Start(ctx, "a")
	transient(t, "cancelled", err, true, "the runner stops")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v is not a cancellation", err)
	}
}

func TestEndlessAndOversizedAnswersAreBounded(t *testing.T) {
	small := func(o *Options) { o.ListLimitBytes, o.ItemLimitBytes = 64<<10, 4<<10 }
	endless := func(w io.Writer) {
		_, _ = io.WriteString(w, `{"success":true,"data":[`)
		for {
			if _, err := io.WriteString(w, strings.Repeat(" ", 4096)); err != nil {
				return
			}
		}
	}
	s := server(t, func(w http.ResponseWriter, _ *http.Request) { endless(w) })
	c := client(t, s.URL, small)
	_, err := c.List(t.Context(), 5)
	transient(t, "endless list", err, false, "larger than 65536 bytes; lower [entity] limit")
	transient(t, "endless reply", c.Start(t.Context(), "a"), true, "larger than")

	bomb := server(t, func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			t.Error("gzip is not asked for, so the test shows nothing")
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		endless(z)
	})
	_, err = client(t, bomb.URL, small).List(t.Context(), 5)
	transient(t, "gzip bomb", err, false, "larger than")

	headers := server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", maxHeaderBytes+1))
		_, _ = io.WriteString(w, yes)
	})
	transient(t, "huge headers", client(t, headers.URL).Start(t.Context(), "a"), true, "header")

	large := server(t, reply(200, fmt.Sprintf(`{"success":true,"data":[{"id":"big","domain":"x.test","about":%q},{"id":"ok","domain":"x.test","status":"register"}]}`,
		strings.Repeat("x", 5000))))
	l, err := client(t, large.URL, small).List(t.Context(), 5)
	if err != nil || len(l.Tasks) != 1 || l.Tasks[0].Task.ID != "ok" || len(l.Unread) != 1 || !strings.Contains(l.Unread[0].Why, "larger than 4096 bytes") {
		t.Errorf("oversized item: %+v, %v", l, err)
	}
}

func TestKeyNeverFollowsARedirectElsewhere(t *testing.T) {
	var leaked atomic.Int32
	other := server(t, func(w http.ResponseWriter, r *http.Request) {
		leaked.Add(1)
		_, _ = io.WriteString(w, `{"success":true,"data":[]}`)
	})
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := server(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL+"/links?x=secret", status) })
		c := client(t, s.URL)
		_, err := c.List(t.Context(), 5)
		transient(t, fmt.Sprint(status, " list"), err, false, "redirects to "+other.URL)
		if strings.Contains(err.Error(), "x=secret") {
			t.Errorf("the query is in %v", err)
		}
		transient(t, fmt.Sprint(status, " start"), c.Start(t.Context(), "a"), true, "redirects to "+other.URL)
	}
	if n := leaked.Load(); n != 0 {
		t.Errorf("%d requests reached the other host", n)
	}
}

func TestRedirectsWithinTheHostServeReadsOnly(t *testing.T) {
	var posts, keyed atomic.Int32
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/new/"):
			if r.Header.Get("X-API-Key") == apiKey {
				keyed.Add(1)
			}
			if r.Method == http.MethodPost {
				posts.Add(1)
			}
			_, _ = io.WriteString(w, `{"success":true,"data":[]}`)
		case strings.HasPrefix(r.URL.Path, "/loop/"):
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		default:
			http.Redirect(w, r, "/new"+r.URL.Path, http.StatusPermanentRedirect)
		}
	})
	c := client(t, s.URL+"/old")
	if _, err := c.List(t.Context(), 5); err != nil || keyed.Load() != 1 {
		t.Errorf("list: %v, with the key %d times", err, keyed.Load())
	}
	transient(t, "start", c.Start(t.Context(), "a"), true, "redirects")
	if posts.Load() != 0 {
		t.Error("a POST was redirected")
	}
	_, err := client(t, s.URL+"/loop").List(t.Context(), 5)
	transient(t, "loop", err, false, "redirects")
}

func TestSecureServerCannotSendTheKeyToAPlainOne(t *testing.T) {
	var plain atomic.Int32
	down := server(t, func(http.ResponseWriter, *http.Request) { plain.Add(1) })
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, down.URL+"/links", http.StatusFound)
	}))
	t.Cleanup(s.Close)
	c := client(t, s.URL, func(o *Options) { o.Transport = s.Client().Transport })
	_, err := c.List(t.Context(), 5)
	transient(t, "downgrade", err, false, "redirects to http://")
	if plain.Load() != 0 {
		t.Error("the plain server was asked")
	}
}

func TestAnswerAboutAnotherTaskIsNotTaken(t *testing.T) {
	c := client(t, server(t, reply(200, `{"success":true,"data":{"id":"b","domain":"x.test"}}`)).URL)
	_, err := c.Get(t.Context(), "a")
	transient(t, "other task", err, false, "asked for task a, the answer is task b")
	_, err = client(t, server(t, reply(200, `{"success":true,"data":{"id":"a","domain":"x.test","password":{}}}`)).URL).Get(t.Context(), "a")
	transient(t, "unreadable task", err, false, "password: wanted a text, got an object")
}

// silentTransport is one that does not report its connections.
type silentTransport struct{}

func (silentTransport) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("broken")
}

func TestForeignTransportIsTakenToHaveSent(t *testing.T) {
	c := client(t, "https://m.test", func(o *Options) { o.Transport = silentTransport{} })
	transient(t, "start", c.Start(t.Context(), "a"), true, "broken")
}
