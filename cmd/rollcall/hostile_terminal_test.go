package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// openTerminal makes a pseudo-terminal that hands on every byte as it was
// written, and echoes nothing.
func openTerminal() (screen, tty *os.File, err error) {
	if screen, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, screen.Close())
		}
	}()
	raw, err := screen.SyscallConn()
	if err != nil {
		return nil, nil, err
	}
	var number int
	var bad error
	if err := raw.Control(func(fd uintptr) {
		if bad = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); bad == nil {
			number, bad = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	}); err != nil || bad != nil {
		return nil, nil, errors.Join(err, bad)
	}
	if tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		return nil, nil, err
	}
	fd := int(tty.Fd())
	mode, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err == nil {
		mode.Oflag &^= unix.OPOST
		mode.Lflag &^= unix.ECHO
		err = errors.Join(unix.IoctlSetTermios(fd, unix.TCSETS, mode), unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 160}))
	}
	if err != nil {
		return nil, nil, errors.Join(err, tty.Close())
	}
	return screen, tty, nil
}

var rightTerminal = right{
	"pseudo-terminals", "sudo mount -t devpts -o ptmxmode=0666 devpts /dev/pts",
	func() error {
		screen, tty, err := openTerminal()
		if err != nil {
			return err
		}
		return errors.Join(tty.Close(), screen.Close())
	},
}

// onTerminal runs rollcall on a terminal and returns everything that the terminal
// received. What is to be typed is typed once the prompt is on the screen.
func onTerminal(t *testing.T, prompt, typed string, args ...string) (received []byte, code int) {
	t.Helper()
	screen, tty, err := openTerminal()
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+temporary, "TERM=xterm-256color")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: unix.SIGKILL}
	err = cmd.Start()
	if err := errors.Join(err, tty.Close()); err != nil {
		t.Fatal(err)
	}
	chunk := make([]byte, 64<<10)
	for err == nil {
		var n int
		n, err = screen.Read(chunk)
		received = append(received, chunk[:n]...)
		if prompt != "" && bytes.Contains(received, []byte(prompt)) {
			prompt = ""
			if _, err := io.WriteString(screen, typed); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !errors.Is(err, unix.EIO) { // nobody has the terminal open any more
		t.Errorf("read the terminal: %v", err)
	}
	if err := cmd.Wait(); ctx.Err() != nil {
		t.Fatalf("rollcall %s: %v\n%q", strings.Join(args, " "), err, received)
	}
	if prompt != "" {
		t.Errorf("rollcall %s never said %q", strings.Join(args, " "), prompt)
	}
	return received, cmd.ProcessState.ExitCode()
}

// ownSequence is all that rollcall tells a terminal to do in a run: to go up to
// the head of its table and to clear from there.
var ownSequence = regexp.MustCompile(`\x1b\[[1-9][0-9]?A\x1b\[J`)

// onlyOwn wants the terminal to have received text, line ends, tabs and the
// sequences of our own table, and returns the text and how often the table was drawn anew.
func onlyOwn(t *testing.T, what string, received []byte) (text string, drawn int) {
	t.Helper()
	quiet(t, what, received)
	if !utf8.Valid(received) {
		t.Errorf("%s: the terminal received bytes that are no UTF-8", what)
	}
	drawn = len(ownSequence.FindAll(received, -1))
	text = ownSequence.ReplaceAllString(string(received), "")
	harmless(t, what, text)
	return text, drawn
}

// TestATerminalIsSafeFromASite runs rollcall on a real terminal, live table
// included, against a site and a task manager whose every word is meant for the
// terminal: titles, names, notes, errors, questions, domains.
func TestATerminalIsSafeFromASite(t *testing.T) {
	preflight(t, rightTerminal)
	site := newHostileSite(t)
	w := newWorld(t, settings{slots: 2, more: fmt.Sprintf("[sites.%q]\nallowed = \"owner\"\nbase_url = %q\npace = { every = \"1ms\" }\n[human]\nhold = \"100ms\"\n", hostileDomain, site.URL)})
	w.write("scripts/hostile.lua", hostileDriver)
	config := w.config("one", "attempts = 50", "attempts = 1", `format = "json"`, "format = \"auto\"\nlevel = \"debug\"")
	task := func(n int, domain, username string) sandbox.Task {
		return sandbox.Task{ID: fmt.Sprintf("5a9d0b00-0000-4000-8000-9%011d", n), Domain: domain, Username: username,
			Password: canaryPassword + "t", FirstName: venom, About: venom, Location: venom, Status: sandbox.StateRegister}
	}
	tasks := []sandbox.Task{
		task(1, hostileDomain, "name-1"), task(2, hostileDomain, "venom-2"), task(3, hostileDomain, "echo-3"), task(4, hostileDomain, "asks-4"),
		task(5, hostileDomain, "breaks-5"), task(6, hostileDomain, "plain-\x1b]0;six\x07\u202e\u009b2J\b"),
		task(7, "seven\x1b]52;c;ZXZpbA==\x07\u202e.test", "plain-7"),
	}
	w.sb.Manager.Add(tasks...)
	const inside = `]52;c;ZXZpbA==` // what a person sees of a clipboard's sequence

	received, code := onTerminal(t, "", "", "run", "--once", "--wait", "2s", "-c", config)
	text, drawn := onlyOwn(t, "rollcall run", received)
	if drawn == 0 || !regexp.MustCompile(`(?m)^site +waiting +running`).MatchString(text) {
		t.Errorf("no live table was drawn (%d times anew):\n%s", drawn, text)
	}
	if code == exitDone || !strings.Contains(text, inside) {
		t.Errorf("ended with %d, and the terminal shows nothing of the site's %q:\n%s", code, inside, text)
	}
	t.Logf("the live table was drawn %d times over itself", drawn)

	shown := 0
	show := func(prompt, typed string, args ...string) {
		t.Helper()
		received, _ := onTerminal(t, prompt, typed, append(args, "-c", config)...)
		text, drawn := onlyOwn(t, "rollcall "+strings.Join(args, " "), received)
		if drawn != 0 || strings.TrimSpace(text) == "" {
			t.Errorf("rollcall %s drew %d tables and printed %q", strings.Join(args, " "), drawn, text)
		}
		shown += strings.Count(text, inside)
	}
	for _, task := range tasks {
		show("", "", "task", "show", task.ID)
	}
	for _, line := range []string{"task list", "site list", "human list", "accounts export", "accounts export --format jsonl", "driver list", "hoola status"} {
		show("", "", strings.Fields(line)...)
	}
	if shown < 5 {
		t.Errorf("the commands show %d of the site's sequences: the test looks at something else", shown)
	}
	// One task by hand, step by step, and the person is asked on this very terminal.
	files := t.TempDir() // of the tester's, who knows the passwords
	for i, prompt := range map[int]string{1: "", 3: "type the answer and press Enter", 4: "", 5: ""} {
		path := filepath.Join(files, fmt.Sprintf("%d.json", i))
		body, err := json.Marshal(tasks[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, body, 0o600); err != nil {
			t.Fatal(err)
		}
		before := shown
		show(prompt, "an answer\n", "task", "run", "--t", path, "--pictures", filepath.Join(w.dir, "pictures"))
		if i != 5 && shown == before {
			t.Errorf("task run of %s shows nothing of the site's %q", tasks[i].Username, inside)
		}
	}
}
