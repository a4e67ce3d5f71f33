package sandbox

import (
	"net/http"
	"strings"
	"testing"
)

func TestPeopleSteerTheSandboxOnItsOwnPort(t *testing.T) {
	sb := start(t, Options{})
	v := visit(t, sb.Admin.URL)
	post := func(path, body string) int {
		t.Helper()
		resp, _ := v.read(v.client.Post(sb.Admin.URL+"/_sandbox"+path, "application/json", strings.NewReader(body)))
		return resp.StatusCode
	}
	for _, tt := range []struct {
		path, body string
		want       int
	}{
		{"/tasks", `[{"id":"a","domain":"x.test"}]`, 200},
		{"/tasks", `[{"id":"b"}]`, 400},
		{"/tasks", `[{"id":"b","domain":"x.test","status":"odd"}]`, 400},
		{"/tasks", `[{"id":"b","domain":"x.test","colour":1}]`, 400},
		{"/tasks/a/status", `{"status":"registering"}`, 200},
		{"/tasks/a/status", `{"status":"odd"}`, 400},
		{"/tasks/zz/status", `{"status":"register"}`, 400},
		{"/faults", `{"call":"complete","kind":"error_after","status":502}`, 200},
		{"/faults", `{"kind":"odd"}`, 400},
		{"/faults", `{"kind":"slow","delay":"soon"}`, 400},
		{"/commits", `{"site":"board","kind":"refuse_taken"}`, 200},
		{"/commits", `{"site":"board","kind":"odd"}`, 400},
		{"/commits", `{"site":"nowhere","kind":"down"}`, 400},
	} {
		if tt.want == 400 && tt.path == "/faults" {
			continue
		}
		if got := post(tt.path, tt.body); got != tt.want {
			t.Errorf("%s %s: %d", tt.path, tt.body, got)
		}
	}
	if status, _ := api(t, sb.Manager, "POST", "/links/a/complete", goodReport); status != 502 {
		t.Errorf("the fault was not met: %d", status)
	}
	if s, _ := sb.Manager.Task("a"); s.Status != StateProfiled {
		t.Errorf("the task is %s", s.Status)
	}
	for _, bad := range []string{`{"kind":"odd"}`, `{"kind":"slow","delay":"soon"}`} {
		if got := post("/faults", bad); got != 400 {
			t.Errorf("%s: %d", bad, got)
		}
	}
	_, page := visit(t, sb.Board.URL).submit("/register", "/register", ada)
	has(t, page, "already taken")
	if _, page = visit(t, sb.Board.URL).submit("/register", "/register", ada); !strings.Contains(page, "Welcome aboard") {
		t.Error("the fault came twice")
	}
	_, page = v.get("/_sandbox/")
	has(t, page, sb.Manager.URL, "profiled", "1 accounts, 2 sign-ups sent")
	for _, path := range []string{"/tasks", "/calls", "/accounts", "/mail"} {
		if resp, _ := v.get("/_sandbox" + path); resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s is %s", path, resp.Header.Get("Content-Type"))
		}
	}
}

func TestOtherSitesCantSteerTheSandbox(t *testing.T) {
	sb := start(t, Options{})
	for name, change := range map[string]func(*http.Request){
		"another host":   func(r *http.Request) { r.Host = "rebound.test" },
		"another origin": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
	} {
		req, _ := http.NewRequest("POST", sb.Admin.URL+"/_sandbox/demo", nil)
		change(req)
		v := visit(t, "")
		if resp, _ := v.read(v.client.Do(req)); resp.StatusCode != http.StatusForbidden || len(sb.Manager.Tasks()) != 0 {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
	}
	if resp, _ := visit(t, "").get(strings.TrimSuffix(sb.Manager.URL, entityPath) + "/_sandbox/tasks"); resp.StatusCode != 404 {
		t.Errorf("the task manager's port answers %d", resp.StatusCode)
	}
}
