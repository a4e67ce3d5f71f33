package hoola

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rollcall-run/rollcall/core"
)

// FuzzAnswer: whatever a server answers, a row gets one result at most, only rows
// that were sent get one, and no text of it is long or holds a secret.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		`{"respCode":"00","respData":{"users":[{"username":"mai","email":"mai@x.vn","id":7,"status":"CREATED"}]}}`,
		`{"respCode":"01","respMessage":"token-canary and password-canary"}`, `{"respCode":"00"}`, `[]`, "<html>502", "\xff", "",
	} {
		f.Add(200, "", body)
	}
	f.Add(429, "120", "later")
	f.Add(503, "Fri, 31 Dec 9999 23:59:59 GMT", "")
	f.Add(302, "-1", "moved")
	const token, password = "token-canary", "password-canary"
	c, err := New(Options{BaseURL: "http://127.0.0.1", Token: core.Secret(token)})
	if err != nil {
		f.Fatal(err)
	}
	row := func(id, username string) core.BulkRow {
		return core.BulkRow{ID: id, Fields: map[string]core.Value{FieldUsername: core.Text(username), FieldEmail: core.Text(username + "@x.vn"), FieldPassword: core.Secret(password)}}
	}
	rows := []core.BulkRow{row("1", "mai"), row("2", "lan")}
	f.Fuzz(func(t *testing.T, status int, retry, body string) {
		resp := &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {retry}, "Location": {retry}}}
		results, err := c.judge(resp, []byte(body), nil, rows)
		words := func(s string) {
			if strings.Contains(s, token) || strings.Contains(s, password) || utf8.RuneCountInString(s) > maxWords || strings.Contains(s, "\n") {
				t.Errorf("the text is %q", s)
			}
		}
		seen := map[string]bool{}
		for _, r := range results {
			if seen[r.Row] || r.Row != "1" && r.Row != "2" {
				t.Errorf("a result for the row %q", r.Row)
			}
			seen[r.Row] = true
			words(r.Message)
		}
		if err == nil {
			return
		}
		var failed *core.BulkError
		if !errors.As(err, &failed) || len(results) > 0 {
			t.Fatalf("%d results and %T %v", len(results), err, err)
		}
		words(failed.Message)
		if failed.RetryAfter < 0 || failed.RetryAfter > 24*time.Hour {
			t.Errorf("later means %s", failed.RetryAfter)
		}
		if made := status >= 200 && status < 300 || status >= 500; made && (failed.Kind == core.BulkCallDenied || failed.Kind == core.BulkCallLater) {
			t.Errorf("HTTP %d is called %s", status, failed.Kind)
		}
	})
}
