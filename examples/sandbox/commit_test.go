package sandbox

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func tlsTrust(roots *x509.CertPool) *tls.Config { return &tls.Config{RootCAs: roots} }

// TestCommitFaultsDoWhatTheySay signs up with each fault, over HTTP/1.1 and h2,
// and looks at the answer, the accounts and the POSTs on the wire.
func TestCommitFaultsDoWhatTheySay(t *testing.T) {
	tests := []struct {
		fault    CommitFault
		status   int // 0: no answer
		say      string
		accounts int
	}{
		{CommitFault{}, 200, "Welcome aboard", 1},
		{CommitFault{Kind: Commit500}, 500, "Internal", 1},
		{CommitFault{Kind: CommitReset}, 0, "", 1},
		{CommitFault{Kind: CommitSlow, Delay: time.Microsecond}, 200, "Welcome aboard", 1},
		{CommitFault{Kind: CloseReused}, 0, "", 0},
		{CommitFault{Kind: ResetReused, Commit: true}, 0, "", 1},
		{CommitFault{Kind: RefuseTaken}, 200, "already taken", 0},
		{CommitFault{Kind: RefuseWeak}, 200, "too weak", 0},
		{CommitFault{Kind: RefuseInvalid}, 200, "valid email", 0},
		{CommitFault{Kind: RefuseTooMany, RetryAfter: "77"}, 429, "Too many", 0},
		{CommitFault{Kind: RefuseDown}, 503, "Unavailable", 0},
		{CommitFault{Kind: RefuseError}, 500, "Internal", 0},
		{CommitFault{Kind: RefuseForbidden}, 403, "Forbidden", 0},
	}
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		for _, tt := range tests {
			sb := start(t, Options{TLS: true})
			v := visit(t, sb.Board.URL)
			if proto == "HTTP/2.0" {
				v.base = sb.Board.TLSURL
				tr := v.client.Transport.(*http.Transport)
				tr.TLSClientConfig, tr.ForceAttemptHTTP2 = tlsTrust(sb.Board.RootCA()), true
			}
			sb.Board.OnCommit(func(Submit) CommitFault { return tt.fault })
			resp, err := v.try("/register", "/register", ada)
			status, body := 0, ""
			if err == nil {
				status = resp.StatusCode
				text, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				body = string(text)
			}
			if status != tt.status || !strings.Contains(body, tt.say) || len(sb.Board.Accounts()) != tt.accounts {
				t.Errorf("%s over %s: %d %v, %d accounts\n%s", tt.fault.Kind, proto, status, err, len(sb.Board.Accounts()), body)
			}
			if tt.fault.RetryAfter != "" && resp.Header.Get("Retry-After") != tt.fault.RetryAfter {
				t.Errorf("Retry-After is %q", resp.Header.Get("Retry-After"))
			}
			subs := sb.Board.Submits()
			if len(subs) != 1 || subs[0].Proto != proto || !subs[0].Reused || !strings.Contains(string(subs[0].Body), url.QueryEscape(ada["email"])) {
				t.Errorf("%s over %s: the wire had %+v", tt.fault.Kind, proto, subs)
			}
		}
	}
}

func TestAFreshConnectionIsServedWhereReusedOnesAreClosed(t *testing.T) {
	sb := start(t, Options{})
	sb.Board.OnCommit(func(Submit) CommitFault { return CommitFault{Kind: CloseReused} })
	v := visit(t, sb.Board.URL)
	v.client.Transport.(*http.Transport).DisableKeepAlives = true
	if _, page := v.submit("/register", "/register", ada); !strings.Contains(page, "Welcome aboard") {
		t.Error(page)
	}
	if sb.Board.Submits()[0].Reused {
		t.Error("a connection without keep-alive was re-used")
	}
}

func TestALateCommitComesWithTheClock(t *testing.T) {
	clock := NewManualClock(time.Unix(1_800_000_000, 0))
	sb := start(t, Options{Clock: clock})
	sb.Board.OnCommit(func(Submit) CommitFault { return CommitFault{Kind: CommitLate, Delay: time.Minute} })
	if resp, _ := visit(t, sb.Board.URL).submit("/register", "/register", ada); resp.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("answered %d", resp.StatusCode)
	}
	clock.Advance(59 * time.Second)
	if n := len(sb.Board.Accounts()); n != 0 {
		t.Fatalf("%d accounts before the time", n)
	}
	clock.Advance(time.Second)
	if n := len(sb.Board.Accounts()); n != 1 || sb.Board.Submits()[0].Account != "ada" {
		t.Errorf("%d accounts after it", n)
	}
}

func TestAHangingCommitHasMadeItsAccount(t *testing.T) {
	for kind, accounts := range map[CommitKind]int{CommitHang: 1, RefuseHang: 0} {
		sb := start(t, Options{})
		sb.Board.OnCommit(func(Submit) CommitFault { return CommitFault{Kind: kind} })
		v := visit(t, sb.Board.URL)
		ended := make(chan error, 1)
		go func() {
			_, err := v.try("/register", "/register", ada)
			ended <- err
		}()
		err := sb.Board.Wait(within(t), func(s *Site) bool { return len(s.Submits()) == 1 && len(s.Accounts()) == accounts })
		if err != nil {
			t.Error(err)
		}
		sb.Close()
		if err := <-ended; err == nil {
			t.Errorf("%s answered", kind)
		}
	}
}

func TestCommitFaultsHoldOnEverySite(t *testing.T) {
	sb := start(t, Options{})
	for _, s := range sb.Sites() {
		s.OnCommit(func(Submit) CommitFault { return CommitFault{Kind: Commit500} })
	}
	visit(t, sb.Community.URL).submit("/dang-ky", "/dang-ky", lan)
	g := visit(t, sb.Guarded.URL)
	_, page := g.get("/join")
	g.answer(page, sb.Guarded.Word())
	g.submit("/join", "/join", map[string]string{"username": "ada", "email": "ada@mail.sandbox.test", "password": "engine 1842"})
	w := visit(t, sb.Wizard.URL)
	_, page = w.get("/signup")
	_, csrf, _ := strings.Cut(page, `csrf-token" content="`)
	csrf, _, _ = strings.Cut(csrf, `"`)
	req, _ := http.NewRequest("POST", sb.Wizard.URL+"/api/accounts", strings.NewReader(`{"username":"ada","email":"a@b.test","password":"engine 1842","terms":true}`))
	req.Header.Set("X-CSRF-Token", csrf)
	w.read(w.client.Do(req))
	for _, s := range []*Site{sb.Community, sb.Guarded, sb.Wizard} {
		if len(s.Accounts()) != 1 || len(s.Submits()) != 1 || s.Submits()[0].Fault != Commit500 {
			t.Errorf("%s: %d accounts, %+v", s.Name, len(s.Accounts()), s.Submits())
		}
	}
}
