package entity

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rollcall-run/rollcall/core"
)

// answering is a server that says the same to everybody.
type answering struct {
	status      int
	kind, retry string
	body        string
}

func (a *answering) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		if err := r.Body.Close(); err != nil {
			return nil, err
		}
	}
	return &http.Response{
		StatusCode: a.status, ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: -1,
		Header: http.Header{"Content-Type": {a.kind}, "Retry-After": {a.retry}, "Location": {a.retry}},
		Body:   io.NopCloser(strings.NewReader(a.body)),
	}, nil
}

// FuzzAnswer: whatever a server answers to any call, what comes back is tasks that
// were checked one by one, or an error in one clean line without the key.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		`{"data":[` + item(``) + `,{"id":1},null,[]]}`, `[` + documented + `]`, `{"data":` + documented + `}`, documented, `{"success":false,"message":"key-canary-31415"}`,
		`<html>bad gateway</html>`, `{"data":[`, "\x1b]0;x\x07", "",
	} {
		f.Add(200, "application/json", "", body)
	}
	f.Add(429, "text/plain", "99999999999999999999", "slow down\nplease\x1b[2J")
	f.Add(302, "", "http://elsewhere.example/\x00", "")
	f.Add(409, "application/json", "", `{"error":"already started"}`)
	f.Add(103, "", "", "")
	a := &answering{}
	c, err := New(Options{BaseURL: "https://m.test", Key: core.Secret(apiKey), Transport: a})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, kind, retry, body string) {
		if status < 100 || status > 999 {
			return // net/http lets no other through
		}
		*a = answering{status, kind, retry, body}
		clean := func(what, text string) {
			if strings.ContainsAny(text, "\n\x1b\x00") || !utf8.ValidString(text) || strings.Contains(text, apiKey) || len(text) > 4000 {
				t.Errorf("%s: %q", what, text)
			}
		}
		failed := func(call string, err error, post bool) {
			if err == nil {
				return
			}
			clean(call, err.Error())
			var later *core.TransientError
			if errors.As(err, &later) && (later.RetryAfter < 0 || later.Ambiguous && !post) {
				t.Errorf("%s: later means %s, ambiguous %v", call, later.RetryAfter, later.Ambiguous)
			}
		}
		all, err := c.List(t.Context(), 10)
		failed("list", err, false)
		if len(all.Tasks)+len(all.Unread) > 10 {
			t.Errorf("%d tasks and %d that can't be read, 10 were asked for", len(all.Tasks), len(all.Unread))
		}
		for _, u := range all.Unread {
			clean("an item that can't be read", u.Why)
		}
		for _, w := range all.Warnings {
			clean("a warning", w)
		}
		const id = "5a9d0b00-0000-4000-8000-000000000001"
		one, err := c.Get(t.Context(), id)
		failed("get", err, false)
		if err == nil && one.Task.ID != id {
			t.Errorf("get gives the task %q", one.Task.ID)
		}
		failed("start", c.Start(t.Context(), id), true)
		failed("complete", c.Complete(t.Context(), id, core.Report{Complete: true}), true)
		failed("fail", c.Fail(t.Context(), id, core.Report{Message: "m"}), true)
	})
}
