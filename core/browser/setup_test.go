package browser

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-run/rollcall/core"
)

func TestFind(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	program := write("chromium-program", "\x7fELF")
	wrapper := write("wrapper", "#!/bin/sh -e\n# starts it\n"+program+" \"$@\"\n")
	shell := write("chrome-headless-shell", "\x7fELF")
	if err := os.Symlink(shell, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, want string
		shell      bool
	}{
		{program, program, false},
		{wrapper, program, false}, // a script's child would outlive us
		{filepath.Join(dir, "link"), shell, true},
	} {
		got, isShell, err := find(c.path, true)
		if err != nil || got != c.want || isShell != c.shell {
			t.Errorf("find(%s) = %s, %v, %v", c.path, got, isShell, err)
		}
	}
	if _, _, err := find(filepath.Join(dir, "absent"), true); !errors.Is(err, ErrNoChromium) || !strings.Contains(err.Error(), "absent") {
		t.Errorf("a path that is not there: %v", err)
	}
	if got, isShell, err := find("", true); err != nil || !isShell {
		t.Errorf("headless finds %s, %v, %v; the shell is installed", got, isShell, err)
	}
	if got, isShell, err := find("", false); err != nil || isShell {
		t.Errorf("with windows finds %s, %v, %v", got, isShell, err)
	}
	places := shellPlaces
	shellPlaces, windowPlaces = nil, nil
	defer func(w []string) { shellPlaces, windowPlaces = places, w }(windowPlaces)
	if _, _, err := find("", true); !errors.Is(err, ErrNoChromium) || !strings.Contains(err.Error(), "apt install") {
		t.Errorf("nothing installed: %v", err)
	}
}

func TestSandboxGoesOnlyWhenAsked(t *testing.T) {
	for _, sandbox := range []bool{true, false} {
		list := strings.Join(flags(Options{Headless: true, Sandbox: sandbox}, "/p", true, false), " ")
		if strings.Contains(list, "--no-sandbox") == sandbox {
			t.Errorf("sandbox %v: %s", sandbox, list)
		}
	}
	if list := strings.Join(flags(Options{Headless: true, Sandbox: true}, "/p", false, true), " "); !strings.Contains(list, "--headless=new") || !strings.Contains(list, "--disable-dev-shm-usage") {
		t.Errorf("a full Chromium: %s", list)
	}
}

func TestProfiles(t *testing.T) {
	u := User{os.Geteuid(), os.Getegid()}
	root := t.TempDir()
	live, err := newProfile(root, u)
	if err != nil {
		t.Fatal(err)
	}
	stale, err := newProfile(root, u)
	if err != nil {
		t.Fatal(err)
	}
	stale.lock.Close() // its runner died
	unlocked := filepath.Join(root, profilePrefix+"old")
	if err := os.Mkdir(unlocked, 0o700); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(root, "notes")
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	// A page's process may leave links: what they lead to stays.
	if err := os.Symlink(other, filepath.Join(stale.path, "link")); err != nil {
		t.Fatal(err)
	}
	if err := sweep(root); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{live.path: true, live.path + ".lock": true, stale.path: false, stale.path + ".lock": false, unlocked: false, other: true} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s: %v, should be there: %v", path, err, want)
		}
	}
	if err := live.remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(live.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("removed: %v", err)
	}
}

func TestProfilesNeedADirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"", filepath.Join(file, "below")} {
		if root, err := profileRoot(dir, User{os.Geteuid(), os.Getegid()}); err == nil {
			t.Errorf("profileRoot(%q) = %s", dir, root)
		}
	}
}

func TestOwn(t *testing.T) {
	origin := newOrigin(t, map[string]string{"/": "x"})
	b := launch(t, nil)
	c := isolated(t, b, origin.URL, core.ContextOptions{})
	dir, err := os.MkdirTemp(b.Files(), "task-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "avatar.png")
	if err := os.WriteFile(path, []byte("picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Own(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o400 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	visit(t, c, "http://site.test/")
	evaluate(t, c, `document.body.innerHTML = "<input type=file>"; ""`)
	upload(t, c, path)
	if got := evaluate(t, c, `document.querySelector("input").files[0].text()`); got != "picture" {
		t.Errorf("the page reads %q", got)
	}

	link := filepath.Join(dir, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	hard := filepath.Join(dir, "hard")
	if err := os.WriteFile(filepath.Join(dir, "second"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(dir, "second"), hard); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{link, hard, dir, filepath.Join(dir, "absent")} {
		if err := c.Own(bad); err == nil {
			t.Errorf("Own(%s) is allowed", bad)
		}
	}
	if os.Geteuid() == 0 {
		closed := filepath.Join(dir, "closed")
		if err := os.Mkdir(closed, 0o700); err != nil {
			t.Fatal(err)
		}
		in := filepath.Join(closed, "f")
		if err := os.WriteFile(in, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := c.Own(in); err == nil || !strings.Contains(err.Error(), closed) {
			t.Errorf("a file that the browser can't reach: %v", err)
		}
	}
}
