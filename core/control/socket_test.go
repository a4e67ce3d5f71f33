package control_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/control"
)

// post sends one raw request over the socket.
func post(t *testing.T, path, method, call, body string) (status int, answer string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}}}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://x"+call, strings.NewReader(body))
	must(t, err)
	resp, err := client.Do(req)
	must(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(data)
}

// TestSecretsStayBehind reads the bytes on the socket.
func TestSecretsStayBehind(t *testing.T) {
	store, _ := seeded(t)
	path := serve(t, store)
	for call, body := range map[string]string{"Tasks": `{}`, "Task": `{"ID":"account"}`, "Events": `{"ID":"account"}`, "Asks": `{"All":true}`, "Accounts": `{}`} {
		_, answer := post(t, path, http.MethodPost, "/1/"+call, body)
		if !strings.Contains(answer, `{"item":`) || !strings.HasSuffix(answer, "{\"end\":true}\n") {
			t.Errorf("%s: %s", call, answer)
		}
		if strings.Contains(answer, "canary") {
			t.Errorf("%s shows a secret: %s", call, answer)
		}
	}
	if _, answer := post(t, path, http.MethodPost, "/1/Accounts", `{"Reveal":true}`); !strings.Contains(answer, password) || !strings.Contains(answer, totp) {
		t.Errorf("revealed accounts: %s", answer)
	}
}

func TestWrongRequestsAreRefused(t *testing.T) {
	store, _ := seeded(t)
	path := serve(t, store)
	for _, c := range []struct {
		name, method, call, body string
		status                   int
		says                     string
	}{
		{"unknown field", "POST", "/1/Task", `{"ID":"account","Reveal":true}`, 200, `unknown field \"Reveal\"`},
		{"something behind", "POST", "/1/Task", `{"ID":"account"}{}`, 200, "follows the JSON value"},
		{"no JSON", "POST", "/1/Task", `ID`, 200, "can't be read"},
		{"nothing", "POST", "/1/Sites", ``, 200, "can't be read"},
		{"too large", "POST", "/1/Task", `{"ID":"` + strings.Repeat("x", 2<<20) + `"}`, 400, "too large"},
		{"unknown call", "POST", "/1/Drop", `{}`, 404, "does not know the call /1/Drop"},
		{"another version", "POST", "/2/Sites", `{}`, 404, "does not know the call /2/Sites"},
		{"no POST", "GET", "/1/Sites", ``, 405, "a call is a POST"},
		{"relative path", "POST", "/1/Backup", `{"Path":"copy.db"}`, 200, "must be absolute"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, answer := post(t, path, c.method, c.call, c.body)
			if status != c.status || !strings.Contains(answer, c.says) || !strings.Contains(answer, `"fail"`) || strings.Contains(answer, `"item"`) {
				t.Errorf("status %d, %s", status, answer)
			}
		})
	}
}

func TestNobodyServes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	if _, err := control.Dial(t.Context(), path); !errors.Is(err, control.ErrNoRunner) {
		t.Errorf("without a socket: %v", err)
	}
	stale(t, path)
	if _, err := control.Dial(t.Context(), path); !errors.Is(err, control.ErrNoRunner) {
		t.Errorf("with a dead one: %v", err)
	}
}

// stale leaves a socket behind, as a killed process does.
func stale(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	must(t, err)
	l.SetUnlinkOnClose(false)
	must(t, l.Close())
	_, err = os.Stat(path)
	must(t, err)
}

func TestTheSocketIsOneRunnersAtATime(t *testing.T) {
	store, _ := seeded(t)
	path := filepath.Join(t.TempDir(), "control.sock")
	stale(t, path)
	stop, err := control.Serve(t.Context(), path, store, control.Options{})
	must(t, err)
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the socket has mode %v", info.Mode())
	}
	var served *control.ServedError
	if _, err := control.Serve(t.Context(), path, store, control.Options{}); !errors.As(err, &served) || served.PID != os.Getpid() {
		t.Errorf("a second runner gets %v", err)
	}
	if _, err := dial(t, path).Sites(t.Context()); err != nil {
		t.Errorf("after a second runner was refused: %v", err)
	}
	stop()
	stop() // again changes nothing
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	stop, err = control.Serve(t.Context(), path, store, control.Options{})
	must(t, err)
	defer stop()
	dial(t, path)
}

func TestAFileThatIsNoSocketIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	must(t, os.WriteFile(path, []byte("notes"), 0o600))
	if _, err := control.Serve(t.Context(), path, nil, control.Options{}); err == nil || !strings.Contains(err.Error(), "is no socket") {
		t.Errorf("Serve gives %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "notes" {
		t.Errorf("the file has %q, %v", text, err)
	}
}

func TestALongPathWorks(t *testing.T) {
	store, _ := seeded(t)
	dir := filepath.Join(t.TempDir(), strings.Repeat("state", 30))
	must(t, os.Mkdir(dir, 0o700))
	path := filepath.Join(dir, "control.sock")
	stop, err := control.Serve(t.Context(), path, store, control.Options{})
	must(t, err)
	defer stop()
	if _, err := dial(t, path).Task(t.Context(), "account"); err != nil {
		t.Error(err)
	}
}

// TestAnotherUserIsRefused connects from a thread that has another user's id.
func TestAnotherUserIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		say := t.Skip
		if os.Getenv("CI") != "" {
			say = t.Fatal
		}
		say(`only root can be another user; run it with: sudo env PATH="$PATH" HOME="$HOME" go test ./core/control`)
	}
	path := serve(t, nil)
	must(t, os.Chmod(path, 0o666)) // the mode would keep it out before
	open := filepath.Dir(path)
	for range 2 {
		must(t, os.Chmod(open, 0o755))
		open = filepath.Dir(open)
	}
	answers := make(chan string, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, 65534, 65534, 65534); errno != 0 {
			answers <- errno.Error()
			return
		}
		answers <- raw(path, "POST /1/Sites HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
	}()
	answer := <-answers
	if !strings.HasPrefix(answer, "HTTP/1.1 403 ") || !strings.Contains(answer, "answers that user and root only") {
		t.Errorf("another user gets %q", answer)
	}
}

// raw talks over the socket on the calling thread, without the scheduler's help.
func raw(path, request string) string {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return err.Error()
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return err.Error()
	}
	if _, err := unix.Write(fd, []byte(request)); err != nil {
		return err.Error()
	}
	var all []byte
	buf := make([]byte, 4096)
	for {
		n, err := unix.Read(fd, buf)
		if err != nil {
			return err.Error()
		}
		if n == 0 {
			return string(all)
		}
		all = append(all, buf[:n]...)
	}
}

// slow is an Admin whose Sites wait until their caller or the runner goes.
type slow struct {
	core.Admin
	entered, left chan struct{}
}

func (s *slow) Sites(ctx context.Context) ([]core.SiteStatus, error) {
	close(s.entered)
	<-ctx.Done()
	close(s.left)
	return nil, ctx.Err()
}

func TestACommandThatGoesEndsItsCall(t *testing.T) {
	s := &slow{entered: make(chan struct{}), left: make(chan struct{})}
	c := dial(t, serve(t, s))
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-s.entered; cancel() }()
	if _, err := c.Sites(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("the cancelled call gives %v", err)
	}
	<-s.left
}

func TestARunnerThatStopsCutsCallsUnderWay(t *testing.T) {
	s := &slow{entered: make(chan struct{}), left: make(chan struct{})}
	path := filepath.Join(t.TempDir(), "control.sock")
	stop, err := control.Serve(t.Context(), path, s, control.Options{Grace: time.Millisecond})
	must(t, err)
	c := dial(t, path)
	go func() { <-s.entered; stop() }()
	if _, err := c.Sites(t.Context()); err == nil {
		t.Error("a call that was cut gives no error")
	}
	<-s.left
	stop()
}

// TestACutAnswerIsAnError: half of the accounts must not look like all of them.
func TestACutAnswerIsAnError(t *testing.T) {
	for name, tail := range map[string]string{"between lines": "", "in a line": `{"item":{"task":`, "garbage": "<html>\n", "an empty line": "{}\n"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "control.sock")
			l, err := net.Listen("unix", path)
			must(t, err)
			defer l.Close()
			done := make(chan struct{})
			go func() {
				defer close(done)
				for _, body := range []string{"{\"item\":{\"pid\":1}}\n{\"end\":true}\n", "{\"item\":{\"task\":\"1\"}}\n" + tail} {
					c, err := l.Accept()
					if err != nil {
						return
					}
					req, err := http.ReadRequest(bufio.NewReader(c))
					if err == nil {
						_, _ = io.Copy(io.Discard, req.Body)
						fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n%s", body)
					}
					c.Close()
				}
			}()
			c := dial(t, path)
			n := 0
			err = c.Accounts(t.Context(), func(core.Account) error { n++; return nil })
			if n != 1 || err == nil {
				t.Errorf("%d accounts, error %v", n, err)
			}
			<-done
		})
	}
}
