package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestFaultsDoWhatTheySay calls complete with each fault and looks at what came
// over the wire and at whether the task moved.
func TestFaultsDoWhatTheySay(t *testing.T) {
	tests := []struct {
		fault   Fault
		applied bool
		status  int // 0: no answer
		body    string
		readErr bool
	}{
		{Fault{Kind: DropBefore}, false, 0, "", false},
		{Fault{Kind: DropAfter}, true, 0, "", false},
		{Fault{Kind: ErrorBefore}, false, 500, "internal error", false},
		{Fault{Kind: ErrorBefore, Status: 502}, false, 502, "internal error", false},
		{Fault{Kind: ErrorAfter}, true, 500, "internal error", false},
		{Fault{Kind: ErrorAfter, Status: 504, RetryAfter: "9"}, true, 504, "internal error", false},
		{Fault{Kind: TooMany, RetryAfter: "120"}, false, 429, "too many", false},
		{Fault{Kind: HTMLPage}, false, 200, "<!doctype html>", false},
		{Fault{Kind: Unauthorized}, false, 401, "invalid API key", false},
		{Fault{Kind: Forbidden}, false, 403, "may not", false},
		{Fault{Kind: Redirected, Location: "http://other.invalid/x"}, false, 307, "", false},
		{Fault{Kind: TruncatedBody}, true, 200, `{"succ`, true},
		{Fault{Kind: SlowBody, Delay: time.Microsecond}, true, 200, `{"success":true}`, false},
		{Fault{Kind: Latency, Delay: time.Microsecond}, true, 200, `{"success":true}`, false},
		{Fault{}, true, 200, `{"success":true}`, false},
	}
	sb := start(t, Options{})
	for i, tt := range tests {
		id := fmt.Sprint(i, tt.fault.Kind)
		sb.Manager.Add(Task{ID: id, Domain: "x.test", Status: StateRegistering})
		sb.Manager.Fault(func(c Call) Fault {
			if c.Name == CallComplete && c.Nth == 1 {
				return tt.fault
			}
			return Fault{}
		})
		status, body, err := rawAPI(sb.Manager, "POST", "/links/"+id+"/complete", goodReport)
		if (status == 0) != (tt.status == 0) || (err != nil) != (tt.status == 0 || tt.readErr) || status != tt.status || !strings.Contains(string(body), tt.body) {
			t.Errorf("%s: %d %q %v", id, status, body, err)
		}
		s, _ := sb.Manager.Task(id)
		if applied := s.Status == StateProfiled; applied != tt.applied || s.Calls[0].Applied != tt.applied || s.Calls[0].Fault != tt.fault.Kind {
			t.Errorf("%s: the task is %s, the history says %+v", id, s.Status, s.Calls[0])
		}
	}
}

func TestFaultHeaders(t *testing.T) {
	sb := start(t, Options{})
	sb.Manager.Add(Task{ID: "a", Domain: "x.test"})
	for _, tt := range []struct {
		fault        Fault
		header, want string
	}{
		{Fault{Kind: TooMany, RetryAfter: "120"}, "Retry-After", "120"},
		{Fault{Kind: Redirected, Location: "http://other.invalid/x"}, "Location", "http://other.invalid/x"},
		{Fault{Kind: HTMLPage}, "Content-Type", "text/html; charset=utf-8"},
	} {
		sb.Manager.Fault(func(Call) Fault { return tt.fault })
		v := visit(t, sb.Manager.URL)
		v.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		if resp, _ := v.get("/links"); resp.Header.Get(tt.header) != tt.want {
			t.Errorf("%s: %s is %q", tt.fault.Kind, tt.header, resp.Header.Get(tt.header))
		}
	}
}

func TestEndlessBodyEndsWithItsReader(t *testing.T) {
	sb := start(t, Options{})
	sb.Manager.Fault(func(Call) Fault { return Fault{Kind: EndlessBody} })
	v := visit(t, sb.Manager.URL)
	resp, err := v.client.Get(sb.Manager.URL + "/links")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.CopyN(io.Discard, resp.Body, 9<<20); err != nil {
		t.Errorf("it ended after %d bytes: %v", n, err)
	}
}

func TestHangingCallsAreRecordedBeforeTheyHang(t *testing.T) {
	for kind, state := range map[FaultKind]string{HangBefore: StateRegister, HangAfter: StateRegistering} {
		sb := start(t, Options{})
		sb.Manager.Add(Task{ID: "a", Domain: "x.test"})
		sb.Manager.Fault(func(Call) Fault { return Fault{Kind: kind} })
		ctx, cancel := context.WithCancel(within(t))
		ended := make(chan error, 1)
		go func() {
			req, _ := http.NewRequestWithContext(ctx, "POST", sb.Manager.URL+"/links/a/start", nil)
			req.Header.Set("X-API-Key", sb.Manager.APIKey)
			tr := &http.Transport{}
			defer tr.CloseIdleConnections()
			_, err := tr.RoundTrip(req)
			ended <- err
		}()
		if s, err := sb.Manager.WaitTask(within(t), "a", func(s Snapshot) bool { return len(s.Calls) == 1 }); err != nil || s.Status != state {
			t.Errorf("%s: %s, %v", kind, s.Status, err)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%s answered: %v", kind, err)
		}
	}
}

func TestCloseEndsHangingCalls(t *testing.T) {
	sb := start(t, Options{})
	sb.Manager.Fault(func(Call) Fault { return Fault{Kind: HangAfter} })
	ended := make(chan error, 1)
	go func() {
		_, _, err := rawAPI(sb.Manager, "GET", "/links", "")
		ended <- err
	}()
	if err := sb.Manager.Wait(within(t), func(m *Manager) bool { return len(m.Calls()) == 1 }); err != nil {
		t.Fatal(err)
	}
	sb.Close()
	if err := <-ended; err == nil {
		t.Error("a hanging call was answered")
	}
}
