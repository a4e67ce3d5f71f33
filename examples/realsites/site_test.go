package realsites_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/rollcall-run/rollcall/examples/realsites"
)

// victim makes the test's binary start a site and say where; it is killed then.
const victim = "REALSITES_VICTIM"

func TestStopLeavesNothing(t *testing.T) {
	sites := realsites.For(t)
	site := sites.WordPress(realsites.Options{})
	if p, err := site.Get(t.Context(), site.ProfileURL("keeper")); err != nil || p.Status != 200 || !strings.Contains(p.HTML, "keeper") {
		t.Fatalf("%d %v", p.Status, err)
	}
	if p, err := site.PublicPage(t.Context(), "nobody"); err != nil || p.Status != 404 {
		t.Errorf("the page of nobody: %d %v", p.Status, err)
	}
	for range 2 {
		if err := site.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	gone(t, site.Dir, site.URL)
}

func TestAKilledProgramLeavesNothing(t *testing.T) {
	dir, err := os.MkdirTemp("", "sites-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), victim+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(out)
	line, err := said.ReadString('\n')
	where := strings.Fields(line)
	if err != nil || len(where) != 2 {
		t.Fatalf("it said %q, %v", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// Its children hold the pipe too: it ends with the last of them.
	if _, err := io.Copy(io.Discard, said); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	gone(t, where[0], where[1])
}

// beVictim starts a site, says where, and waits to be killed.
func beVictim(dir string) {
	if _, err := syscall.Dup(1); err != nil { // for the children
		os.Exit(1)
	}
	site, err := realsites.StartMediaWiki(context.Background(), dir, realsites.Options{})
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	os.Stdout.WriteString(site.Dir + " " + site.URL + "\n")
	select {}
}

// gone checks that neither directory nor server nor processes are left.
func gone(t *testing.T, dir, url string) {
	t.Helper()
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left: %v", dir, err)
	}
	if c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://")); err == nil {
		c.Close()
		t.Errorf("%s still answers", url)
	}
	procs, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range procs {
		line, err := os.ReadFile("/proc/" + p.Name() + "/cmdline")
		if err == nil && strings.Contains(string(line), dir) {
			t.Errorf("process %s is left: %q", p.Name(), line)
		}
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	closed := t.TempDir() // its parents are closed to other users
	if os.Getuid() == 0 {
		if err := os.Chmod(closed, 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := realsites.StartDokuWiki(t.Context(), closed, realsites.Options{})
		if err == nil || !strings.Contains(err.Error(), "www-data can't enter "+closed) {
			t.Errorf("a closed directory: %v", err)
		}
	}
	t.Setenv("PATH", closed)
	_, err := realsites.StartDokuWiki(t.Context(), "", realsites.Options{})
	if err == nil || !strings.Contains(err.Error(), "not installed: php, msmtp; run: .ci/setup sites mail") {
		t.Errorf("without PHP: %v", err)
	}
}
