package main_test

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const sdkPath = "github.com/rollcall-run/rollcall"

// publish makes a module proxy, as files, that has this tree as the newest
// version of the SDK's module. The version is taken out of the module cache after the test.
func publish(t *testing.T, root, modcache string) (proxy, version string) {
	t.Helper()
	list := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	files := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	var modules []string // below this one, and no part of it
	for _, f := range files {
		if dir, ok := strings.CutSuffix(f, "/go.mod"); ok {
			modules = append(modules, dir+"/")
		}
	}
	contents, hash := map[string][]byte{}, sha256.New()
	for _, f := range files {
		if slices.ContainsFunc(modules, func(m string) bool { return strings.HasPrefix(f, m) }) {
			continue
		}
		b, err := os.ReadFile(filepath.Join(root, f))
		if os.IsNotExist(err) {
			continue // removed from the work tree
		}
		if err != nil {
			t.Fatal(err)
		}
		contents[f] = b
		fmt.Fprintf(hash, "%s %d\n%s", f, len(b), b)
	}
	version = fmt.Sprintf("v0.99.0-tree.%d.x%s", os.Getpid(), hex.EncodeToString(hash.Sum(nil)[:6]))
	dir := filepath.Join(t.TempDir(), filepath.FromSlash(sdkPath), "@v")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	z, err := os.Create(filepath.Join(dir, version+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	w := zip.NewWriter(z)
	for f, b := range contents {
		e, err := w.CreateHeader(&zip.FileHeader{Name: sdkPath + "@" + version + "/" + f, Method: zip.Store})
		if err == nil {
			_, err = e.Write(b)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"list": version + "\n", version + ".mod": string(contents["go.mod"]),
		version + ".info": fmt.Sprintf(`{"Version": %q, "Time": %q}`, version, time.Now().UTC().Format(time.RFC3339)),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { forget(t, modcache, version) })
	return filepath.Dir(filepath.Dir(filepath.Dir(filepath.Dir(dir)))), version
}

// forget removes a version of the SDK from the module cache.
func forget(t *testing.T, modcache, version string) {
	unpacked := filepath.Join(modcache, filepath.FromSlash(sdkPath)+"@"+version)
	err := filepath.WalkDir(unpacked, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			return os.Chmod(path, 0o755)
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Error(err)
	}
	down := filepath.Join(modcache, "cache", "download", filepath.FromSlash(sdkPath), "@v")
	kept, err := filepath.Glob(filepath.Join(down, version+".*"))
	if err != nil {
		t.Error(err)
	}
	for _, path := range append(kept, unpacked, filepath.Join(down, "list")) {
		if err := os.RemoveAll(path); err != nil {
			t.Error(err)
		}
	}
}

// TestThePluginsModuleBuildsFromPublishedPackages: the smallest plugin without
// its replace line, and a new one, need nothing but what a module proxy gives.
func TestThePluginsModuleBuildsFromPublishedPackages(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE", "GOPROXY").Output()
	if err != nil {
		t.Fatal(err)
	}
	modcache, otherwise, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	proxy, version := publish(t, root, modcache)
	// The modules that rollcall needs are in the cache, where it was built.
	known := filepath.Join(modcache, "cache", "download")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	env := append(os.Environ(), "GOPROXY=file://"+proxy+",file://"+known+","+otherwise, "GONOSUMDB="+sdkPath, "GOFLAGS=-buildvcs=false -modcacherw", "GOWORK=off", "GOTOOLCHAIN=local")
	run := func(dir, name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir, cmd.Env = dir, env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
		return string(out)
	}

	home := t.TempDir()
	plugin := filepath.Join(home, "example")
	if err := os.CopyFS(plugin, os.DirFS(filepath.Join(root, "examples/plugin"))); err != nil {
		t.Fatal(err)
	}
	run(plugin, "go", "mod", "edit", "-dropreplace="+sdkPath, "-require="+sdkPath+"@"+version)
	before, err := os.ReadFile(filepath.Join(plugin, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	run(plugin, "go", "mod", "tidy")
	after, err := os.ReadFile(filepath.Join(plugin, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if string(before) != string(after) {
		t.Errorf("examples/plugin/go.mod is not tidy: in examples/plugin, run go mod tidy\n%s\nbecomes\n%s", before, after)
	}
	run(plugin, "go", "build", "-o", "plugin", ".")
	if used := run(plugin, "go", "list", "-m", "-f", "{{.Dir}} {{.Replace}}", sdkPath); !strings.HasPrefix(used, modcache) || !strings.Contains(used, "<nil>") {
		t.Errorf("it was built with %s", used)
	}

	run(home, binary, "init")
	run(home, binary, "driver", "new", "meadow", "--plugin")
	meadow := filepath.Join(home, "meadow")
	run(meadow, "go", "mod", "tidy")
	run(meadow, "go", "build")
	for path, says := range map[string]string{"example/plugin": "allowed: the driver garden 1.0.0 for garden.example", "meadow/meadow": "allowed: the driver meadow 1.0.0 for meadow.example"} {
		if said := run(home, "sh", "-c", `echo y | exec "$0" driver trust "$1"`, binary, path); !strings.Contains(said, says) {
			t.Errorf("trust %s: %s", path, said)
		}
	}
	if _, err := os.Stat(filepath.Join(modcache, filepath.FromSlash(sdkPath)+"@"+version)); err != nil {
		t.Errorf("the published version was not used: %v", err)
	}
}
