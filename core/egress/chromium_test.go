//go:build linux

package egress

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// form is a page that makes its connections used ones, submits itself once into
// a frame, and says when the frame has its answer.
const form = `<!doctype html><iframe name=i></iframe><form id=f target=i method=post action="/submit"><input name=a value=b></form>
<script>(async () => {
	await fetch("/warm").then(r => r.text(), () => 0)
	await fetch("/ready").then(r => r.text(), () => 0)
	document.querySelector("iframe").onload = () => fetch("/done")
	f.submit()
})()</script>`

// TestChromiumSubmitsOnce lets a real browser submit a form to a site that
// resets each connection that is used a second time, and under each POST. By
// itself Chromium sends such a POST again; through the gate it does not.
func TestChromiumSubmitsOnce(t *testing.T) {
	t.Run("through the gate", func(t *testing.T) {
		k := newKiller(t, form)
		g := newWorld(t, k.Addr().String(), nil).gate(t)
		k.at("/ready", g.DropIdle)
		runForm(t, k, "--proxy-server="+g.URL(), "--proxy-bypass-list=<-loopback>")
		if n := k.count("POST /submit"); n != 1 {
			t.Errorf("%d POSTs on the wire, want 1", n)
		}
		if n := g.Writes(); n != 1 {
			t.Errorf("%d writes, want 1", n)
		}
	})
	t.Run("and without it the test sees two", func(t *testing.T) {
		k := newKiller(t, form)
		runForm(t, k, "--no-proxy-server", "--host-resolver-rules=MAP example.org:80 "+k.Addr().String())
		if n := k.count("POST /submit"); n < 2 {
			t.Errorf("%d POSTs on the wire: the test can't tell one from two", n)
		}
	})
}

// runForm opens the site's page in a Chromium of its own and returns when the
// submit has been answered.
func runForm(t *testing.T, k *killer, flags ...string) {
	t.Helper()
	const program = "/usr/lib/chromium/chromium-headless-shell"
	home, err := os.MkdirTemp("/tmp", "egress-chromium-") // its user can't pass t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	done := make(chan struct{}, 10)
	k.at("/done", func() { done <- struct{}{} })
	var said strings.Builder
	cmd := exec.Command(program, append(flags,
		"--user-data-dir="+home, "--remote-debugging-port=0",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run", "--disable-quic",
		"http://example.org/")...)
	cmd.Env = []string{"HOME=" + home, "PATH=/usr/bin:/bin"}
	cmd.Stderr = &said
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() == 0 {
		const uid = 60801
		if err := os.Chown(home, uid, uid); err != nil {
			t.Fatal(err)
		}
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: uid, Groups: []uint32{}}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	limit := time.NewTimer(30 * time.Second)
	defer limit.Stop()
	late := false
	select {
	case <-done:
	case <-limit.C:
		late = true
	}
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	cmd.Wait()
	if late {
		k.mu.Lock()
		defer k.mu.Unlock()
		t.Fatalf("the submit was not answered; on the wire: %v; the browser said: %s", k.seen, said.String())
	}
}
