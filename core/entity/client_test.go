package entity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rollcall-run/rollcall/core"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const apiKey = "key-canary-31415"

// server answers with h and stops with the test.
func server(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// client is one for the server at base, its own transport included.
func client(t *testing.T, base string, change ...func(*Options)) *Client {
	t.Helper()
	o := Options{BaseURL: base, Key: core.Secret(apiKey), Timeout: 5 * time.Second}
	for _, f := range change {
		f(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func reply(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

const yes = `{"success":true}`

func TestEachCallSendsWhatTheProtocolSays(t *testing.T) {
	type seen struct{ method, uri, key, agent, kind, body string }
	var got seen
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = seen{r.Method, r.RequestURI, r.Header.Get("X-API-Key"), r.Header.Get("User-Agent"), r.Header.Get("Content-Type"), string(b)}
		switch {
		case r.Method == http.MethodPost:
			_, _ = io.WriteString(w, yes)
		case strings.HasSuffix(r.URL.Path, "/links"):
			_, _ = io.WriteString(w, `{"success":true,"data":[]}`)
		default:
			_, _ = io.WriteString(w, `{"success":true,"data":{"id":"a/b c","domain":"x.test","status":"register"}}`)
		}
	})
	c := client(t, s.URL+"/api/v1/entity/", func(o *Options) { o.UserAgent = "rollcall/1" })
	ctx := t.Context()
	const item = "/api/v1/entity/links/a%2Fb%20c"
	for _, step := range []struct {
		name string
		do   func() error
		want seen
	}{
		{"list", func() error { _, err := c.List(ctx, 50); return err }, seen{"GET", "/api/v1/entity/links?limit=50", apiKey, "rollcall/1", "", ""}},
		{"list of too many", func() error { _, err := c.List(ctx, 5000); return err }, seen{"GET", "/api/v1/entity/links?limit=1000", apiKey, "rollcall/1", "", ""}},
		{"list of none", func() error { _, err := c.List(ctx, 0); return err }, seen{"GET", "/api/v1/entity/links?limit=1", apiKey, "rollcall/1", "", ""}},
		{"get", func() error { _, err := c.Get(ctx, "a/b c"); return err }, seen{"GET", item, apiKey, "rollcall/1", "", ""}},
		{"start", func() error { return c.Start(ctx, "a/b c") }, seen{"POST", item + "/start", apiKey, "rollcall/1", "", ""}},
		{"complete", func() error { return c.Complete(ctx, "a/b c", core.Report{LinkProfile: "https://x.test/u"}) },
			seen{"POST", item + "/complete", apiKey, "rollcall/1", "application/json", `{"link_profile":"https://x.test/u"}`}},
		{"complete with all", func() error {
			return c.Complete(ctx, "a/b c", core.Report{LinkProfile: "https://x.test/u", Email: core.Text("e@x.test"), Username: core.Text("u"), Password: core.Secret("p\"w"), Note: "n"})
		}, seen{"POST", item + "/complete", apiKey, "rollcall/1", "application/json",
			`{"link_profile":"https://x.test/u","email":"e@x.test","username":"u","password":"p\"w","note":"n"}`}},
		{"fail", func() error {
			return c.Fail(ctx, "a/b c", core.Report{Status: "profile_failed", Message: "avatar", Note: "n"})
		}, seen{"POST", item + "/fail", apiKey, "rollcall/1", "application/json", `{"status":"profile_failed","error_message":"avatar","note":"n"}`}},
	} {
		if err := step.do(); err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
		if got != step.want {
			t.Errorf("%s sent\n%+v, want\n%+v", step.name, got, step.want)
		}
	}
}

func TestWrongArgumentsAreNotSent(t *testing.T) {
	s := server(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s %s was sent", r.Method, r.RequestURI) })
	c := client(t, s.URL)
	ctx := t.Context()
	good := core.Report{Status: "register_failed", Message: "m", LinkProfile: "https://x.test/u"}
	for name, err := range map[string]error{
		"empty id":         c.Start(ctx, ""),
		"long id":          c.Start(ctx, strings.Repeat("x", 201)),
		"id up":            c.Start(ctx, ".."),
		"id with line end": c.Start(ctx, "a\nb"),
		"get empty id":     func() error { _, err := c.Get(ctx, ""); return err }(),
		"no link":          c.Complete(ctx, "a", core.Report{}),
		"script link":      c.Complete(ctx, "a", core.Report{LinkProfile: "javascript:alert(1)"}),
		"no message":       c.Fail(ctx, "a", core.Report{Status: "register_failed", Message: " "}),
		"no status":        c.Fail(ctx, "a", core.Report{Message: "m"}),
		"unknown status":   c.Fail(ctx, "a", core.Report{Status: "profiled", Message: "m"}),
		"fail bad id":      c.Fail(ctx, "", good),
		"complete bad id":  c.Complete(ctx, "", good),
	} {
		var r *core.Refusal
		var tr *core.TransientError
		if err == nil || errors.As(err, &r) || errors.As(err, &tr) {
			t.Errorf("%s: %v, want a fault of the caller's", name, err)
		}
	}
}

func TestNewRefusesUnsafeSettings(t *testing.T) {
	for base, want := range map[string]string{
		"":                         "https://",
		"manager.test":             "https://",
		"ftp://manager.test":       "https://",
		"http://manager.test/api":  "unencrypted",
		"http://10.0.0.1/api":      "unencrypted",
		"https://u:p@manager.test": "user name",
		"https://m.test/?x=1":      "query",
		"https://m.test/#x":        "fragment",
		"https://m.test/%zz":       "not a URL",
	} {
		_, err := New(Options{BaseURL: base, Key: core.Secret(apiKey)})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%s: %v, want %q", base, err, want)
		}
	}
	for _, base := range []string{"http://127.0.0.1:1/x", "http://localhost:1", "http://[::1]:1", "http://api.localhost", "https://manager.test/api/v1"} {
		if _, err := New(Options{BaseURL: base, Key: core.Secret(apiKey)}); err != nil {
			t.Errorf("%s: %v", base, err)
		}
	}
	for _, key := range []string{"", "two words", "line\n", "é-key"} {
		_, err := New(Options{BaseURL: "https://m.test", Key: core.Secret(key)})
		if err == nil || !strings.Contains(err.Error(), "api_key") || key != "" && strings.Contains(err.Error(), key) {
			t.Errorf("key %q: %v", key, err)
		}
	}
}

func TestAnswersAreClassified(t *testing.T) {
	type want struct {
		auth, gone, refusal bool
		ambiguousPost       bool
		text                string
	}
	for name, c := range map[string]struct {
		status int
		body   string
		want   want
	}{
		"401":                 {401, `{"success":false,"message":"bad key"}`, want{auth: true, text: "bad key"}},
		"403 html":            {403, `<html>no</html>`, want{auth: true, text: "Forbidden"}},
		"404":                 {404, `{"success":false,"message":"task not found"}`, want{gone: true, text: "does not know"}},
		"404 of a proxy":      {404, `<html>nginx</html>`, want{text: "base_url"}},
		"400":                 {400, `{"success":false,"message":"bad\u001b[31m\u202e thing"}`, want{refusal: true, text: "bad[31m thing"}},
		"409":                 {409, `{"success":false,"message":"status is registering"}`, want{refusal: true, text: "registering"}},
		"422 plain":           {422, `nope`, want{refusal: true, text: "nope"}},
		"200 no":              {200, `{"success":false,"message":"only register"}`, want{refusal: true, text: "only register"}},
		"408":                 {408, ``, want{ambiguousPost: true, text: "408"}},
		"425":                 {425, ``, want{text: "425"}},
		"429":                 {429, `{"success":false,"message":"slow down"}`, want{text: "slow down"}},
		"500":                 {500, `{"success":false,"message":"db"}`, want{ambiguousPost: true, text: "db"}},
		"502 html":            {502, `<html>bad gateway</html>`, want{ambiguousPost: true, text: "web page"}},
		"503":                 {503, ``, want{ambiguousPost: true, text: "503"}},
		"200 html":            {200, `<!doctype html><p>login`, want{ambiguousPost: true, text: "web page"}},
		"200 empty":           {200, ``, want{ambiguousPost: true, text: "empty"}},
		"204":                 {204, ``, want{ambiguousPost: true, text: "empty"}},
		"truncated":           {200, `{"success":tr`, want{ambiguousPost: true, text: "read"}},
		"cut after success":   {200, `{"success":true`, want{ambiguousPost: true, text: "breaks off"}},
		"trailing garbage":    {200, `{"success":true,"data":[]}{}`, want{ambiguousPost: true, text: "after the JSON"}},
		"no success":          {200, `{"data":[]}`, want{ambiguousPost: true, text: "no success"}},
		"wrong case":          {200, `{"Success":true,"data":[]}`, want{ambiguousPost: true, text: "no success"}},
		"success twice":       {200, `{"success":true,"success":false}`, want{ambiguousPost: true, text: "twice"}},
		"success as text":     {200, `{"success":"true"}`, want{ambiguousPost: true, text: "wanted true or false"}},
		"an array":            {200, `[]`, want{ambiguousPost: true, text: "wanted an object"}},
		"the key, repeated":   {400, `{"success":false,"message":"no key ` + apiKey + `"}`, want{refusal: true, text: "no key •••"}},
		"a very long refusal": {400, `{"success":false,"message":"` + strings.Repeat("é", 5000) + `"}`, want{refusal: true, text: "…"}},
	} {
		t.Run(name, func(t *testing.T) {
			cl := client(t, server(t, reply(c.status, c.body)).URL)
			_, getErr := cl.Get(t.Context(), "a")
			for call, err := range map[string]error{"get": getErr, "start": cl.Start(t.Context(), "a"),
				"complete": cl.Complete(t.Context(), "a", core.Report{LinkProfile: "https://x.test/u"})} {
				var auth *core.AuthError
				var refusal *core.Refusal
				var transient *core.TransientError
				switch {
				case err == nil:
					t.Fatalf("%s: no error", call)
				case errors.As(err, &auth) != c.want.auth, errors.As(err, &refusal) != c.want.refusal, errors.Is(err, core.ErrGone) != c.want.gone:
					t.Fatalf("%s: %T %v", call, err, err)
				case errors.As(err, &transient) == (c.want.auth || c.want.refusal || c.want.gone):
					t.Fatalf("%s: %T %v", call, err, err)
				case transient != nil && transient.Ambiguous != (c.want.ambiguousPost && call != "get"):
					t.Errorf("%s: ambiguous is %v: %v", call, transient.Ambiguous, err)
				case refusal != nil && utf8.RuneCountInString(refusal.Message) > maxWords:
					t.Errorf("%s: %d characters", call, utf8.RuneCountInString(refusal.Message))
				}
				if !strings.Contains(err.Error(), c.want.text) || strings.Contains(err.Error(), apiKey) || strings.ContainsAny(err.Error(), "\n\x1b\u202e") {
					t.Errorf("%s: %q, want %q in it", call, err, c.want.text)
				}
			}
		})
	}
}

func TestListThatIsNotThereIsARefusal(t *testing.T) {
	_, err := client(t, server(t, reply(404, `{"success":false,"message":"no such route"}`)).URL).List(t.Context(), 5)
	var refusal *core.Refusal
	if !errors.As(err, &refusal) || errors.Is(err, core.ErrGone) || refusal.Status != 404 || refusal.Call != "list" {
		t.Errorf("%v", err)
	}
	_, err = client(t, server(t, reply(200, yes)).URL).List(t.Context(), 5)
	var transient *core.TransientError
	if !errors.As(err, &transient) || !strings.Contains(err.Error(), "data") {
		t.Errorf("no data: %v", err)
	}
}

func TestRetryAfterIsReadAndCapped(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "-1": 0, "soon": 0, "1e3": 0, "99999999999999999": time.Hour, "7200": time.Hour,
		now.Add(90 * time.Second).Format(http.TimeFormat): 90 * time.Second,
		now.Add(-time.Hour).Format(http.TimeFormat):       0,
		now.Add(48 * time.Hour).Format(http.TimeFormat):   time.Hour,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
	c := client(t, server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "120")
		w.WriteHeader(429)
	}).URL)
	var transient *core.TransientError
	if err := c.Start(t.Context(), "a"); !errors.As(err, &transient) || transient.RetryAfter != 2*time.Minute || transient.Ambiguous {
		t.Errorf("429: %+v", err)
	}
}

func TestReportsAreCutNotBroken(t *testing.T) {
	var body failure
	c := client(t, server(t, func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, yes)
	}).URL)
	family := "👩‍👩‍👧‍👦" // seven code points that a person sees as one
	for name, message := range map[string]string{
		"short": "avatar rejected", "1000": strings.Repeat("ế", 1000), "long": strings.Repeat("ế", 1500),
		"clusters": strings.Repeat(family, 300), "combining": strings.Repeat("e\u0301", 900), "bad bytes": strings.Repeat("a\xff", 700),
	} {
		if err := c.Fail(t.Context(), "a", core.Report{Status: "register_failed", Message: message, Note: message}); err != nil {
			t.Fatal(err)
		}
		n := utf8.RuneCountInString(body.Message)
		whole := strings.ToValidUTF8(message, "�")
		switch {
		case n > MaxMessage || body.Note != body.Message:
			t.Errorf("%s: %d characters, note %d", name, n, utf8.RuneCountInString(body.Note))
		case utf8.RuneCountInString(whole) <= MaxMessage && body.Message != whole:
			t.Errorf("%s was changed", name)
		case utf8.RuneCountInString(whole) > MaxMessage:
			kept := strings.TrimSuffix(body.Message, "…")
			if kept == body.Message || !strings.HasPrefix(whole, kept) || n < MaxMessage-8 {
				t.Errorf("%s: cut to %d characters ending %q", name, n, body.Message[len(body.Message)-12:])
			}
			if name == "clusters" && utf8.RuneCountInString(kept)%7 != 0 || name == "combining" && strings.HasSuffix(kept, "e") {
				t.Errorf("%s: a character was cut in two", name)
			}
		}
	}
}

func TestBackoffGrowsWithinItsBoundsAndHonoursTheServer(t *testing.T) {
	b := Backoff{Min: time.Second, Max: time.Minute}
	for try, most := range map[int]time.Duration{-1: time.Second, 1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 7: time.Minute, 1 << 40: time.Minute} {
		var longest time.Duration
		distinct := map[time.Duration]bool{}
		for range 400 {
			d := b.After(try, nil)
			if d < 0 || d > most {
				t.Fatalf("try %d: %s, at most %s", try, d, most)
			}
			longest = max(longest, d)
			distinct[d] = true
		}
		if longest < most/2 || len(distinct) < 100 {
			t.Errorf("try %d: longest %s of %s, %d different waits", try, longest, most, len(distinct))
		}
	}
	wish := fmt.Errorf("report: %w", &core.TransientError{RetryAfter: time.Hour})
	if d := b.After(1, wish); d < time.Hour || d > time.Hour+time.Second+1 {
		t.Errorf("with the server's wish: %s", d)
	}
	for _, b := range []Backoff{{}, {Min: time.Hour, Max: time.Second}, {Min: 1, Max: 1 << 62}} {
		if d := b.After(100, context.Canceled); d < 0 || d > max(b.Max, 2) {
			t.Errorf("%+v: %s", b, d)
		}
	}
}
