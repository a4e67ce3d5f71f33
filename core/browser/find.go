package browser

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// ErrNoChromium is returned when no browser is installed, or none is at the
// configured path. Nothing is ever downloaded.
var ErrNoChromium = errors.New("no Chromium found")

// The places of a browser, best first. The shell is a Chromium without windows
// that needs half the processor time or less. A name without a slash is looked
// up in PATH; programs stand before the scripts that start them.
var (
	shellPlaces = []string{
		"/usr/lib/chromium/chromium-headless-shell", "/usr/lib/chromium/headless_shell",
		"chrome-headless-shell", "chromium-headless-shell", "headless_shell", "headless-shell",
	}
	windowPlaces = []string{
		"/usr/lib/chromium/chromium", "/usr/lib/chromium-browser/chromium-browser", "/usr/lib64/chromium-browser/chromium-browser",
		"chromium", "chromium-browser",
		"/opt/google/chrome/chrome", "google-chrome-stable", "google-chrome", "chrome",
		"/Applications/Chromium.app/Contents/MacOS/Chromium",
		"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
	}
)

// Find returns the program that Launch would start, and whether it is a shell
// without windows. Nothing is started.
func Find(path string, headless bool) (program string, shell bool, err error) {
	return find(path, headless)
}

// find returns the program to start: path itself, or the best that is
// installed. shell says that it is one without windows.
func find(path string, headless bool) (program string, shell bool, err error) {
	if path != "" {
		program, err = runnable(path)
		if err != nil {
			return "", false, fmt.Errorf("%w at %s: %w", ErrNoChromium, path, err)
		}
		return program, isShell(program), nil
	}
	places := windowPlaces
	if headless {
		places = append(append([]string{}, shellPlaces...), windowPlaces...)
	}
	for _, place := range places {
		if program, err := runnable(place); err == nil {
			return program, isShell(program), nil
		}
	}
	return "", false, fmt.Errorf("%w: install one (%s), or name it in [browser] path", ErrNoChromium, advice(headless))
}

func advice(headless bool) string {
	switch {
	case runtime.GOOS == "darwin":
		return "brew install --cask chromium"
	case headless:
		return "Debian: apt install chromium-headless-shell; elsewhere chrome-headless-shell or chromium"
	default:
		return "Debian: apt install chromium; elsewhere chromium or google-chrome"
	}
}

func isShell(program string) bool {
	name := filepath.Base(program)
	return strings.Contains(name, "headless-shell") || strings.Contains(name, "headless_shell")
}

// runnable is the program at place. Where a distribution has put a script that
// starts the program as its child, it is the program: the kernel's signal at
// our death reaches the process that we start, and no other.
func runnable(place string) (string, error) {
	program, err := exec.LookPath(place)
	if err != nil {
		return "", err
	}
	if program, err = filepath.EvalSymlinks(program); err != nil {
		return "", err
	}
	if program, err = filepath.Abs(program); err != nil {
		return "", err
	}
	if started := startedBy(program); started != "" {
		return started, nil
	}
	return program, nil
}

// startedBy is the program that the script starts by its full path without
// exec, "" when it is no such script.
func startedBy(script string) string {
	f, err := os.Open(script)
	if err != nil {
		return ""
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil || !bytes.HasPrefix(head, []byte("#!")) {
		return ""
	}
	lines := bufio.NewScanner(bytes.NewReader(head))
	for lines.Scan() {
		first, _, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		if !filepath.IsAbs(first) || !strings.Contains(first, "chrom") {
			continue
		}
		if program, err := exec.LookPath(first); err == nil {
			return program
		}
	}
	return ""
}

// Program is the browser's program; shell says that it is one without windows.
func (b *Chromium) Program() (path string, shell bool) { return b.program, b.shell }
