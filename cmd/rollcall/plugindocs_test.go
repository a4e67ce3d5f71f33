package main_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var (
	guideBlock   = regexp.MustCompile("(?ms)^```sh( background)?\n(.*?)^```$")
	guideAddress = regexp.MustCompile(`driver test --reattach '([^']+)'`)
)

// TestThePluginGuideRuns executes every command of docs/plugins.md, in its order
// and in one directory.
func TestThePluginGuideRuns(t *testing.T) {
	text, err := os.ReadFile("../../docs/plugins.md")
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	blocks := guideBlock.FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 5 {
		t.Fatalf("%d blocks", len(blocks))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
	defer cancel()
	dir := t.TempDir()
	home := t.TempDir()
	site := gardenSite(t)
	env := append(goEnv(t), "SITE="+site.URL, "HOME="+home, "ROLLCALL="+root, "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"), "GOPROXY=off", "GOFLAGS=-buildvcs=false")
	for _, b := range blocks {
		// Each block begins where the first did.
		cmd := exec.CommandContext(ctx, "bash", "-e", "-c", b[2])
		cmd.Dir, cmd.Env = dir, env
		if b[1] == "" {
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%s\n%v\n%s", b[2], err, out)
			} else {
				t.Logf("%s\n%s", b[2], out)
				if strings.Contains(b[2], "--dev") != strings.Contains(string(out), "the configuration does not list this plugin") {
					t.Errorf("the warning of --dev: %s", out)
				}
			}
			continue
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
			if err := cmd.Wait(); err != nil {
				t.Logf("%s ended: %v", b[2], err)
			}
		}()
		found := false
		for lines := bufio.NewScanner(out); !found && lines.Scan(); {
			if m := guideAddress.FindStringSubmatch(lines.Text()); m != nil {
				env, found = append(env, "ADDRESS="+m[1]), true
			}
		}
		if !found {
			t.Fatalf("%s printed no address", b[2])
		}
	}
	config, err := os.ReadFile(filepath.Join(dir, "rollcall.toml"))
	if err != nil || !strings.Contains(string(config), "[[plugin]]\npath = 'garden/garden'\nsha256 = \"") {
		t.Errorf("the configuration: %v\n%s", err, config)
	}
}

// gardenSite is the site that the starter driver is written for.
func gardenSite(t *testing.T) *httptest.Server {
	const form = `<form id=%s method=post action=%s><input id=user name=user><input id=mail name=mail><input id=pass type=password name=pass><button type=submit>Go</button></form>`
	members, about := map[string]string{}, ""
	var mu sync.Mutex
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		name := strings.TrimPrefix(r.URL.Path, "/")
		user, pass := r.PostFormValue("user"), r.PostFormValue("pass")
		switch {
		case r.Method == http.MethodGet && (name == "join" || name == "login"):
			fmt.Fprintf(w, form, name, r.URL.Path)
		case r.Method == http.MethodPost && (name == "join" && members[user] == "" || name == "login" && members[user] == pass):
			members[user] = pass
			fmt.Fprint(w, "<p id=account>You are in</p>")
		case r.Method == http.MethodPost && name == "profile":
			about = r.PostFormValue("about")
			fmt.Fprint(w, "<p class=saved>Saved</p>")
		case r.Method == http.MethodPost:
			fmt.Fprint(w, "<p class=error>Wrong</p>")
		case r.Method == http.MethodGet && name == "profile":
			fmt.Fprint(w, `<form id=profile method=post><textarea id=about name=about></textarea><button type=submit>Save</button></form>`)
		case name == "u/ada_l":
			fmt.Fprint(w, "<h1>ada_l</h1>"+about)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(func() {
		site.Close()
		if members["ada_l"] != "Lantern-42-x" || len(members) != 1 || about != "I grow beans." {
			t.Errorf("the site's members: %v, %q", members, about)
		}
	})
	return site
}

// goEnv is what the go command needs to find its caches with another HOME.
func goEnv(t *testing.T) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE", "GOMODCACHE", "GOPATH").Output()
	if err != nil {
		t.Fatal(err)
	}
	v := strings.Split(strings.TrimSpace(string(out)), "\n")
	return []string{"GOCACHE=" + v[0], "GOMODCACHE=" + v[1], "GOPATH=" + v[2], "TMPDIR=" + os.TempDir()}
}

// TestTheSmallestPluginIsTheStarter, but for its head and its names, and builds by itself.
func TestTheSmallestPluginIsTheStarter(t *testing.T) {
	read := func(path string) string {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, body, _ := strings.Cut(string(b), "package main")
		return body
	}
	if read("../../examples/plugin/main.go") != strings.ReplaceAll(read("starter/plugin/main.go.txt"), "starter", "garden") {
		t.Error("starter/plugin/main.go.txt is not examples/plugin/main.go with starter for garden")
	}
	cmd := exec.CommandContext(t.Context(), "go", "vet", ".")
	cmd.Dir, cmd.Env = "../../examples/plugin", append(os.Environ(), "GOPROXY=off", "GOFLAGS=-buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("go vet: %s", out)
	}
}
