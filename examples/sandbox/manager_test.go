package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// api calls the task manager and returns status and decoded answer.
func api(t *testing.T, m *Manager, method, path, body string) (int, map[string]any) {
	t.Helper()
	status, text, err := rawAPI(m, method, path, body)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatalf("%s %s: %v in %q", method, path, err, text)
	}
	return status, out
}

func rawAPI(m *Manager, method, path, body string) (int, []byte, error) {
	req, err := http.NewRequest(method, m.URL+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("X-API-Key", m.APIKey)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	c := &http.Client{Transport: tr, Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, text, err
}

const goodReport = `{"link_profile":"https://x.test/u/a","username":"a2","note":"n"}`

func TestStartCompleteAndFailAreStrict(t *testing.T) {
	long := strings.Repeat("ữ", 1000)
	tests := []struct {
		state, call, body string
		connect           ConnectMode
		status            int
		message, to       string
	}{
		{"register", "start", "", ConnectRefused, 200, "", "registering"},
		{"registering", "start", "", ConnectRefused, 400, "it is registering", "registering"},
		{"profiled", "start", "", ConnectRefused, 400, "it is profiled", "profiled"},
		{"register_failed", "start", "", ConnectSupported, 400, "it is register_failed", "register_failed"},
		{"connect", "start", "", ConnectRefused, 400, "must be register", "connect"},
		{"connect", "start", "", ConnectSupported, 200, "", "connecting"},
		{"registering", "complete", goodReport, ConnectRefused, 200, "", "profiled"},
		{"connecting", "complete", goodReport, ConnectSupported, 200, "", "completed"},
		{"register", "complete", goodReport, ConnectRefused, 400, "must be registering", "register"},
		{"profiled", "complete", goodReport, ConnectRefused, 400, "must be registering", "profiled"},
		{"registering", "complete", `{"note":"x"}`, ConnectRefused, 400, "link_profile is required", "registering"},
		{"registering", "complete", `{"link_profile":"/u/a"}`, ConnectRefused, 400, "http or https", "registering"},
		{"registering", "complete", `{"link_profile":"https://x.test","colour":1}`, ConnectRefused, 400, "colour", "registering"},
		{"registering", "complete", goodReport + "x", ConnectRefused, 400, "after the JSON", "registering"},
		{"registering", "complete", "{\"link_profile\":\"https://x.test/\xff\"}", ConnectRefused, 400, "UTF-8", "registering"},
		{"registering", "fail", `{"error_message":"taken"}`, ConnectRefused, 200, "", "register_failed"},
		{"registering", "fail", `{"error_message":"bio","status":"profile_failed"}`, ConnectRefused, 200, "", "profile_failed"},
		{"registering", "fail", `{"error_message":"x","status":"connect_failed"}`, ConnectSupported, 400, "one of register_failed", "registering"},
		{"connecting", "fail", `{"error_message":"x"}`, ConnectSupported, 200, "", "connect_failed"},
		{"connecting", "fail", `{"error_message":"x","status":"register_failed"}`, ConnectSupported, 400, "one of connect_failed", "connecting"},
		{"registering", "fail", `{"error_message":" "}`, ConnectRefused, 400, "error_message is required", "registering"},
		{"registering", "fail", `{"error_message":"` + long + `"}`, ConnectRefused, 200, "", "register_failed"},
		{"registering", "fail", `{"error_message":"` + long + `x"}`, ConnectRefused, 400, "it has 1001", "registering"},
		{"register", "fail", `{"error_message":"x"}`, ConnectRefused, 400, "must be registering", "register"},
	}
	for _, mode := range []ConnectMode{ConnectSupported, ConnectRefused} {
		sb := start(t, Options{Connect: mode})
		for i, tt := range tests {
			if tt.connect != mode {
				continue
			}
			id := fmt.Sprint("t", i)
			sb.Manager.Add(Task{ID: id, Domain: "x.test", Status: tt.state})
			status, got := api(t, sb.Manager, "POST", "/links/"+id+"/"+tt.call, tt.body)
			message, _ := got["message"].(string)
			if status != tt.status || got["success"] != (tt.status == 200) || !strings.Contains(message, tt.message) {
				t.Errorf("%s of a %s task, connect %s: %d %v", tt.call, tt.state, mode, status, got)
			}
			s, _ := sb.Manager.Task(id)
			if s.Status != tt.to {
				t.Errorf("%s of a %s task left it %s, want %s", tt.call, tt.state, s.Status, tt.to)
			}
			if c := s.Calls[0]; c.Applied != (tt.status == 200) || c.From != tt.state || c.To != tt.to || string(c.Body) != tt.body || c.Status != status {
				t.Errorf("the history says %+v", c)
			}
		}
	}
}

func TestListKeepsToItsParameters(t *testing.T) {
	sb := start(t, Options{})
	for i := range 12 {
		task := Task{ID: fmt.Sprint("t", i), Domain: "x.test"}
		if i%4 == 3 {
			task.Status = StateConnect
		}
		sb.Manager.Add(task)
	}
	sb.Manager.Add(Task{ID: "done", Domain: "x.test", Status: StateProfiled})
	tests := []struct {
		query string
		want  int // tasks, or an HTTP status above 99
	}{
		{"", 5}, {"?limit=1", 1}, {"?limit=1000", 12}, {"?limit=1001", 400}, {"?limit=0", 400}, {"?limit=x", 400},
		{"?limit=50&status=register", 9}, {"?limit=50&status=connect", 3}, {"?status=profiled", 400}, {"?status=", 400},
	}
	for _, tt := range tests {
		status, got := api(t, sb.Manager, "GET", "/links"+tt.query, "")
		if tt.want > 99 {
			if status != tt.want || got["success"] != false {
				t.Errorf("%q: %d %v", tt.query, status, got)
			}
		} else if data := got["data"].([]any); status != 200 || len(data) != tt.want {
			t.Errorf("%q: %d with %d tasks, want %d", tt.query, status, len(data), tt.want)
		}
	}
	sb.Manager.ListAlso("done")
	if _, got := api(t, sb.Manager, "GET", "/links?limit=50", ""); len(got["data"].([]any)) != 13 {
		t.Error("a finished task that the server still lists is not listed")
	}
}

func TestTasksAreShownAsAdded(t *testing.T) {
	sb := start(t, Options{})
	sb.Manager.Add(Task{ID: "a", Domain: "x.test", HideStatus: true, Extra: map[string]any{"color": "red", "id": "not this"}, Images: json.RawMessage(`["u"]`)})
	_, got := api(t, sb.Manager, "GET", "/links/a", "")
	data := got["data"].(map[string]any)
	if _, shown := data["status"]; shown || data["color"] != "red" || data["id"] != "a" || len(data["images"].([]any)) != 1 {
		t.Errorf("shown as %v", data)
	}
}

func TestUnknownAndDeletedTasksAnswer404(t *testing.T) {
	sb := start(t, Options{})
	sb.Manager.Add(Task{ID: "gone", Domain: "x.test"})
	if err := sb.Manager.Delete("gone"); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"gone", "never"} {
		for _, c := range []struct{ method, call string }{{"GET", ""}, {"POST", "/start"}, {"POST", "/complete"}, {"POST", "/fail"}} {
			if status, got := api(t, sb.Manager, c.method, "/links/"+id+c.call, ""); status != 404 || got["message"] != "task not found" {
				t.Errorf("%s%s: %d %v", id, c.call, status, got)
			}
		}
	}
	if err := sb.Manager.Edit("never", StateRegister); err == nil {
		t.Error("a task that was never added was edited")
	}
}

func TestAWrongKeyIsRefused(t *testing.T) {
	sb := start(t, Options{APIKey: "right"})
	sb.Manager.Add(Task{ID: "a", Domain: "x.test"})
	for _, key := range []string{"", "wrong"} {
		req, _ := http.NewRequest("POST", sb.Manager.URL+"/links/a/start", nil)
		req.Header.Set("X-API-Key", key)
		resp, body := visit(t, "").read(visit(t, "").client.Do(req))
		if resp.StatusCode != 401 || !strings.Contains(body, `"success":false`) {
			t.Errorf("key %q: %d %s", key, resp.StatusCode, body)
		}
	}
}

func TestRetryManagerQueuesFailedTasksAgain(t *testing.T) {
	clock := NewManualClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	sb := start(t, Options{Clock: clock, MaxRetries: 2, RetryDelay: time.Minute})
	sb.Manager.Add(Task{ID: "a", Domain: "x.test"})
	for round := range 3 {
		api(t, sb.Manager, "POST", "/links/a/start", "")
		api(t, sb.Manager, "POST", "/links/a/fail", `{"error_message":"x","status":"profile_failed"}`)
		clock.Advance(59 * time.Second)
		if s, _ := sb.Manager.Task("a"); s.Status != StateProfileFailed {
			t.Fatalf("round %d: %s before its time", round, s.Status)
		}
		clock.Advance(time.Second)
		want := StateRegister
		if round == 2 {
			want = StateProfileFailed
		}
		if s, _ := sb.Manager.Task("a"); s.Status != want || s.Retries != min(round+1, 2) {
			t.Fatalf("round %d: %s after %d retries, want %s", round, s.Status, s.Retries, want)
		}
	}
}

func TestAPersonsEditWinsOverTheRetryManager(t *testing.T) {
	clock := NewManualClock(time.Unix(0, 0))
	sb := start(t, Options{Clock: clock, MaxRetries: 1, RetryDelay: time.Minute})
	sb.Manager.Add(Task{ID: "a", Domain: "x.test"})
	api(t, sb.Manager, "POST", "/links/a/start", "")
	api(t, sb.Manager, "POST", "/links/a/fail", `{"error_message":"x"}`)
	if err := sb.Manager.Edit("a", StateProfiled); err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Hour)
	if s, _ := sb.Manager.Task("a"); s.Status != StateProfiled {
		t.Errorf("the task became %s", s.Status)
	}
	if err := sb.Manager.Edit("a", "finished"); err == nil || !strings.Contains(err.Error(), "known are") {
		t.Errorf("an unknown state was set: %v", err)
	}
}

func TestATakenTaskRefusesItsStart(t *testing.T) {
	sb := start(t, Options{})
	sb.Manager.Add(Task{ID: "a", Domain: "x.test", Taken: true})
	if status, _ := api(t, sb.Manager, "POST", "/links/a/start", ""); status != 400 {
		t.Errorf("started: %d", status)
	}
	if s, _ := sb.Manager.Task("a"); s.Status != StateRegistering || s.Count(CallStart) != 0 {
		t.Errorf("%s after %d starts", s.Status, s.Count(CallStart))
	}
}

func TestWaitSeesWhatHappensAfterwards(t *testing.T) {
	sb := start(t, Options{})
	sb.Manager.Add(Task{ID: "a", Domain: "x.test"})
	done := make(chan error, 1)
	go func() {
		_, err := sb.Manager.WaitTask(within(t), "a", func(s Snapshot) bool { return s.Status == StateRegistering })
		done <- err
	}()
	api(t, sb.Manager, "POST", "/links/a/start", "")
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := sb.Manager.Wait(within(t), func(m *Manager) bool { return m.Count(StateRegistering) == 1 && len(m.Calls()) == 1 }); err != nil {
		t.Error(err)
	}
}
