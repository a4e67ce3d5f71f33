package mail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/mail/mailtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const jane = "jane@mail.example"

func entity(address string) core.Entity {
	return core.Entity{Fields: map[string]core.Value{
		core.FieldEmail: core.Text(address), core.FieldMailPassword: core.Secret(mailtest.Password),
	}}
}

func letter(to, subject, body string) []byte {
	return []byte("From: Board <noreply@board.example>\nTo: " + to + "\nSubject: " + subject +
		"\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n" + body + "\n")
}

func open(t *testing.T, boxes ...Box) *Mailboxes {
	t.Helper()
	m, err := New(Options{Boxes: boxes, Poll: 30 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestFindOverDovecot(t *testing.T) {
	s := mailtest.Dovecot(t)
	deliver := func(t *testing.T, to string, raw []byte) {
		t.Helper()
		if err := s.Deliver("noreply@board.example", to, raw); err != nil {
			t.Fatal(err)
		}
	}
	mark := func(t *testing.T, m *Mailboxes, e core.Entity) core.MailMark {
		t.Helper()
		mk, err := m.Mark(within(t, 10*time.Second), e)
		if err != nil {
			t.Fatal(err)
		}
		return mk
	}
	plain := Box{Match: "*", URL: "imap://" + s.IMAP}
	link := core.MailQuery{AnyLink: true}

	t.Run("mail before the mark is ignored, mail that comes during the wait is found", func(t *testing.T) {
		m, e, to := open(t, plain), entity("a@mail.example"), "a@mail.example"
		deliver(t, to, letter(to, "old", "https://board.example/confirm?c=old"))
		mk := mark(t, m, e)
		type result struct {
			msg core.MailMessage
			err error
		}
		got := make(chan result, 1)
		go func() {
			msg, err := m.Find(within(t, 20*time.Second), e, mk, "board.example", link)
			got <- result{msg, err}
		}()
		deliver(t, to, letter(to, "Chào mừng đến với bảng tin", "Bấm vào https://board.example/confirm?c=new."))
		r := <-got
		if r.err != nil || r.msg.Link.Reveal() != "https://board.example/confirm?c=new" || !r.msg.Link.IsSecret() || !r.msg.Text.IsSecret() {
			t.Fatalf("%v, %q", r.err, r.msg.Link.Reveal())
		}
		if r.msg.Subject != "Chào mừng đến với bảng tin" || !strings.Contains(r.msg.Text.Reveal(), "Bấm vào") {
			t.Errorf("subject %q, text %q", r.msg.Subject, r.msg.Text.Reveal())
		}
		if flags, err := s.Flags(to, "INBOX"); err != nil || slices.Contains(flags, `\Seen`) {
			t.Errorf("reading must not mark anything: %v, %v", flags, err)
		}
	})
	t.Run("nothing in time is ErrNotYet, and a later wait from the same mark finds it", func(t *testing.T) {
		m, e, to := open(t, plain), entity("b@mail.example"), "b@mail.example"
		mk := mark(t, m, e)
		if _, err := m.Find(within(t, 200*time.Millisecond), e, mk, "board.example", link); !errors.Is(err, core.ErrNotYet) {
			t.Fatal(err)
		}
		deliver(t, to, letter(to, "s", "https://www.board.example/x"))
		m.Close()
		again := open(t, plain)
		if msg, err := again.Find(within(t, 10*time.Second), e, mk, "board.example", link); err != nil || msg.Link.Empty() {
			t.Fatal(err)
		}
	})
	t.Run("only the exact address counts, sub-addresses included", func(t *testing.T) {
		shared := Box{Match: "mail.example", URL: "imap://" + s.IMAP, User: "catchall@mail.example"}
		m := open(t, shared)
		mk := mark(t, m, entity("c+1@mail.example"))
		for _, to := range []string{"c@mail.example", "c+12@mail.example", "xc+1@mail.example"} {
			deliver(t, "catchall@mail.example", letter(to, "s", "https://board.example/for/"+to))
		}
		deliver(t, "catchall@mail.example", letter("\"C\" <C+1@Mail.Example>", "s", "https://board.example/for/me"))
		for range 2 {
			msg, err := m.Find(within(t, 10*time.Second), entity("c+1@mail.example"), mk, "board.example", link)
			if err != nil || msg.Link.Reveal() != "https://board.example/for/me" {
				t.Fatalf("%v %q", err, msg.Link.Reveal())
			}
		}
	})
	t.Run("many waiters share one connection", func(t *testing.T) {
		shared := Box{Match: "*", URL: "imap://" + s.IMAP, User: "pool@mail.example"}
		m := open(t, shared)
		mk := mark(t, m, entity("p0@mail.example"))
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				to := fmt.Sprintf("p%d@mail.example", i)
				msg, err := m.Find(within(t, 20*time.Second), entity(to), mk, "board.example", link)
				if err != nil || msg.Link.Reveal() != "https://board.example/"+to {
					t.Errorf("%s: %v %q", to, err, msg.Link.Reveal())
				}
			})
		}
		for i := range 8 {
			to := fmt.Sprintf("p%d@mail.example", i)
			deliver(t, "pool@mail.example", letter(to, "s", "https://board.example/"+to))
		}
		wg.Wait()
		m.mu.Lock()
		defer m.mu.Unlock()
		if len(m.sessions) != 1 {
			t.Errorf("%d sessions for one mailbox", len(m.sessions))
		}
	})
	t.Run("mail sorted into junk is found, older junk is not", func(t *testing.T) {
		m, to := open(t, plain), "d@mail.example"
		deliver(t, to, letter(to, "first", "x"))
		if err := s.Append(to, "Junk", letter(to, "old", "https://board.example/old")); err != nil {
			t.Fatal(err)
		}
		mk := mark(t, m, entity(to))
		if mk.JunkNext < 2 {
			t.Fatalf("the mark knows no junk folder: %+v", mk)
		}
		if err := s.Append(to, "Junk", letter(to, "new", "https://board.example/new")); err != nil {
			t.Fatal(err)
		}
		msg, err := m.Find(within(t, 10*time.Second), entity(to), mk, "board.example", link)
		if err != nil || msg.Link.Reveal() != "https://board.example/new" {
			t.Fatalf("%v %q", err, msg.Link.Reveal())
		}
	})
	t.Run("a folder made anew is read from the time of the mark", func(t *testing.T) {
		m, to := open(t, plain), "e@mail.example"
		mk := mark(t, m, entity(to))
		if err := s.Rebuild(to, "Junk"); err != nil {
			t.Fatal(err)
		}
		if err := s.Append(to, "Junk", letter(to, "new", "https://board.example/rebuilt")); err != nil {
			t.Fatal(err)
		}
		msg, err := m.Find(within(t, 10*time.Second), entity(to), mk, "board.example", link)
		if err != nil || msg.Link.Reveal() != "https://board.example/rebuilt" {
			t.Fatalf("%v %q", err, msg.Link.Reveal())
		}
		mk.At = time.Now().Add(time.Hour)
		mk.JunkValidity = 1
		if _, err := m.Find(within(t, 300*time.Millisecond), entity(to), mk, "board.example", link); !errors.Is(err, core.ErrNotYet) {
			t.Fatalf("what arrived before the mark's time must not count: %v", err)
		}
	})
	t.Run("IMAPS and STARTTLS with the section's authority", func(t *testing.T) {
		for _, url := range []string{"imaps://" + s.IMAPS, "imap://" + s.IMAP} {
			m := open(t, Box{Match: "*", URL: url, CAFile: s.CAFile})
			if mk := mark(t, m, entity(jane)); mk.UIDNext == 0 {
				t.Errorf("%s: %+v", url, mk)
			}
		}
	})
	t.Run("a certificate of an unknown authority is refused", func(t *testing.T) {
		other := mailtest.Dovecot(t)
		for _, b := range []Box{{URL: "imaps://" + s.IMAPS}, {URL: "imaps://" + s.IMAPS, CAFile: other.CAFile}, {URL: "imap://" + s.IMAP, CAFile: other.CAFile}} {
			b.Match = "*"
			_, err := open(t, b).Mark(within(t, 10*time.Second), entity(jane))
			if err == nil || !strings.Contains(err.Error(), "certificate") {
				t.Errorf("%s: %v", b.URL, err)
			}
		}
	})
	t.Run("the next password is tried, and no password is in the error", func(t *testing.T) {
		e := entity(jane).With(core.FieldAppPassword, core.Secret("wrong app secret"))
		if _, err := open(t, plain).Mark(within(t, 10*time.Second), e); err != nil {
			t.Fatal(err)
		}
		spaced := entity(jane).With(core.FieldMailPassword, core.Value{}).With(core.FieldAppPassword, core.Secret("mailbox- pass word"))
		if _, err := open(t, plain).Mark(within(t, 10*time.Second), spaced); err != nil {
			t.Fatalf("spaces of an application password are dropped: %v", err)
		}
		e = e.With(core.FieldMailPassword, core.Secret("also-wrong"))
		start := time.Now()
		_, err := open(t, plain).Find(within(t, 30*time.Second), e, core.MailMark{}, "board.example", link)
		var login *LoginError
		if !errors.As(err, &login) || login.Tried != 2 || strings.Contains(err.Error(), "wrong") && strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "also-wrong") {
			t.Fatalf("%v", err)
		}
		if time.Since(start) > 15*time.Second {
			t.Error("refused passwords must end the wait at once")
		}
	})
	t.Run("a lost connection is made anew", func(t *testing.T) {
		m, to := open(t, plain), "f@mail.example"
		mk := mark(t, m, entity(to))
		m.mu.Lock()
		for _, ses := range m.sessions {
			ses.g.Conn.Close()
		}
		m.mu.Unlock()
		deliver(t, to, letter(to, "s", "https://board.example/again"))
		if _, err := m.Find(within(t, 10*time.Second), entity(to), mk, "board.example", link); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("an unused connection is closed", func(t *testing.T) {
		m, err := New(Options{Boxes: []Box{plain}, Idle: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		ses, _, err := m.session(entity(jane))
		if err != nil {
			t.Fatal(err)
		}
		if err := ses.look(within(t, 10*time.Second), 0); err != nil {
			t.Fatal(err)
		}
		closed := ses.c.Closed()
		m.release(ses)
		select {
		case <-closed:
		case <-time.After(10 * time.Second):
			t.Error("still open")
		}
	})
}

// silent accepts connections and never answers.
func silent(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var wg sync.WaitGroup
		for {
			c, err := l.Accept()
			if err != nil {
				wg.Wait()
				return
			}
			wg.Go(func() { io.Copy(io.Discard, c); c.Close() })
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

func TestASilentServerEndsByTheDeadline(t *testing.T) {
	for _, scheme := range []string{"imap://", "imaps://"} {
		m, err := New(Options{Boxes: []Box{{Match: "*", URL: scheme + silent(t)}}, Dial: 150 * time.Millisecond, Timeout: 150 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err = m.Mark(within(t, 20*time.Second), entity(jane)); err == nil || time.Since(start) > 5*time.Second {
			t.Errorf("%s: %v after %s", scheme, err, time.Since(start))
		}
		m.Close()
	}
}

func TestEndingTheContextEndsTheWaitOnASilentServer(t *testing.T) {
	m := open(t, Box{Match: "*", URL: "imap://" + silent(t)})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	start := time.Now()
	if _, err := m.Find(ctx, entity(jane), core.MailMark{}, "board.example", core.MailQuery{AnyLink: true}); !errors.Is(err, core.ErrNotYet) {
		t.Errorf("got %v", err)
	}
	if time.Since(start) > 5*time.Second {
		t.Errorf("took %s", time.Since(start))
	}
}

func TestPlainIMAPIsRefusedBeyondLoopback(t *testing.T) {
	s, err := check(Box{Match: "*", URL: "imap://imap.example.org"})
	if err != nil || s.plain || s.addr != "imap.example.org:143" {
		t.Errorf("%+v %v", s, err)
	}
	if s, err = check(Box{Match: "*", URL: "imaps://[::1]"}); err != nil || !s.implicit || s.addr != "[::1]:993" {
		t.Errorf("%+v %v", s, err)
	}
}

func TestNewNamesTheSectionThatIsWrong(t *testing.T) {
	notPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(notPEM, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		boxes []Box
		want  string
	}{
		{[]Box{{Match: "x.example", URL: "smtp://h"}}, `[mail."x.example"] imap:`},
		{[]Box{{Match: "x.example", URL: "imaps://"}}, `imap:`},
		{[]Box{{URL: "imaps://h"}}, "has no name"},
		{[]Box{{Match: "*", URL: "imaps://h"}, {Match: "*", URL: "imaps://h"}}, "twice"},
		{[]Box{{Match: "*", URL: "imaps://h", Password: []string{"{password}"}}}, "{password}"},
		{[]Box{{Match: "*", URL: "imaps://h", CAFile: notPEM}}, "no certificate"},
		{[]Box{{Match: "*", URL: "imaps://h", CAFile: notPEM + "x"}}, "ca:"},
	} {
		if _, err := New(Options{Boxes: c.boxes}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %s: %v", c.want, err)
		}
	}
}

func TestAnAddressWithoutAMailboxIsErrNoMailbox(t *testing.T) {
	m := open(t, Box{Match: "other.example", URL: "imaps://h"})
	for _, e := range []core.Entity{entity(jane), entity("no address"), {}} {
		if _, err := m.Mark(t.Context(), e); !errors.Is(err, core.ErrNoMailbox) {
			t.Errorf("got %v", err)
		}
	}
	m = open(t, Box{Match: "*", URL: "imaps://h"})
	if _, err := m.Mark(t.Context(), entity(jane).With(core.FieldMailPassword, core.Value{})); err == nil || !strings.Contains(err.Error(), "{app_password}") {
		t.Errorf("no password: %v", err)
	}
}

func TestTemplatesNameTheLogin(t *testing.T) {
	e := entity("Jane+x@Mail.example").With(core.FieldAppPassword, core.Secret("ab cd"))
	for in, want := range map[string]string{"{email}": "Jane+x@Mail.example", "{user}": "Jane+x", "{domain}": "Mail.example", "{user}%{domain}": "Jane+x%Mail.example", "box": "box"} {
		if got, ok := expand(in, userFields, e); !ok || got != want {
			t.Errorf("%s: %q", in, got)
		}
	}
	for in, want := range map[string]string{"{app_password}": "abcd", "a{b}{c d}": "a{b}{c d}"} {
		if got, ok := expand(in, passwordFields, e); !ok || got != want {
			t.Errorf("%s: %q", in, got)
		}
	}
	if _, ok := expand("{username}", userFields, e); ok {
		t.Error("an empty field must be told")
	}
}
