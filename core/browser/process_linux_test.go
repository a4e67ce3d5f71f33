package browser

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rollcall-run/rollcall/core"
)

// status reads a field of /proc/PID/status.
func status(t testing.TB, pid int, field string) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

func cmdline(pid int) []string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	// A renderer's own title has spaces between its arguments.
	return strings.Fields(strings.ReplaceAll(string(b), "\x00", " "))
}

func group(pgid int) []proc {
	return slices.DeleteFunc(processes(), func(p proc) bool { return p.group != pgid || p.ended })
}

func TestSandboxAndFlags(t *testing.T) {
	origin := newOrigin(t, map[string]string{"/": "x"})
	b := launch(t, nil)
	c := isolated(t, b, origin.URL, core.ContextOptions{})
	visit(t, c, "http://site.test/")
	pid := c.process.cmd.Process.Pid

	main := cmdline(pid)
	for _, want := range []string{
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run", "--disable-quic",
		"--site-per-process", "--webrtc-ip-handling-policy=disable_non_proxied_udp", "--dns-prefetch-disable",
		"--remote-debugging-port=0", "--proxy-bypass-list=<-loopback>",
	} {
		if !slices.Contains(main, want) {
			t.Errorf("the browser runs without %s", want)
		}
	}
	renderers := 0
	for _, p := range group(pid) {
		args := strings.Join(cmdline(p.pid), " ")
		for _, bad := range []string{"--no-sandbox", "--disable-site-isolation", "--disable-web-security", "--single-process", "--disable-setuid-sandbox"} {
			if strings.Contains(args, bad) {
				t.Errorf("process %d runs with %s", p.pid, bad)
			}
		}
		if os.Geteuid() == 0 {
			uid := strings.Fields(status(t, p.pid, "Uid"))
			if slices.Contains(uid, "0") {
				t.Errorf("process %d runs as root: %v", p.pid, uid)
			}
			if g := status(t, p.pid, "Groups"); g != "" {
				t.Errorf("process %d has the groups %s", p.pid, g)
			}
		}
		if got := status(t, p.pid, "NoNewPrivs"); got != "1" {
			t.Errorf("process %d: NoNewPrivs %s", p.pid, got)
		}
		if strings.Contains(args, "--type=renderer") {
			renderers++
			if got := status(t, p.pid, "Seccomp"); got != "2" {
				t.Errorf("renderer %d: Seccomp %s, want 2", p.pid, got)
			}
			ours, _ := os.Readlink("/proc/self/ns/user")
			theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/user", p.pid))
			if err == nil && ours == theirs {
				t.Errorf("renderer %d is in our user namespace", p.pid)
			}
		}
	}
	if renderers == 0 {
		t.Fatal("no renderer was seen")
	}
	info, err := os.Stat(c.process.profile.path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o700 || info.Sys().(*syscall.Stat_t).Uid != uint32(b.o.User.UID) {
		t.Errorf("the profile is %v of user %d", info.Mode(), info.Sys().(*syscall.Stat_t).Uid)
	}
}

func TestStoppedBrowserIsKilled(t *testing.T) {
	origin := newOrigin(t, nil)
	b := launch(t, func(o *Options) { o.HealthEvery, o.HealthWithin = 50*time.Millisecond, 500*time.Millisecond })
	c := isolated(t, b, origin.URL, core.ContextOptions{})
	if err := c.process.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	within(t, 3*time.Second, "Dead after SIGSTOP", c.Dead())
	within(t, 5*time.Second, "the stopped browser to go", c.process.gone)
	isolated(t, b, origin.URL, core.ContextOptions{})
}

func TestNothingIsLeftAfterClose(t *testing.T) {
	origin := newOrigin(t, map[string]string{"/": "x"})
	b := launch(t, nil)
	c := isolated(t, b, origin.URL, core.ContextOptions{})
	visit(t, c, "http://site.test/")
	pgid, marker := c.process.cmd.Process.Pid, c.process.profile.path
	if len(group(pgid)) < 3 {
		t.Fatalf("the group is %v", group(pgid))
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if left := group(pgid); len(left) != 0 {
		t.Errorf("processes left: %v", left)
	}
	for _, p := range processes() {
		if !p.ended && slices.Contains(cmdline(p.pid), "--user-data-dir="+marker) {
			t.Errorf("process %d still uses the profile", p.pid)
		}
	}
	if left := profiles(t, b); len(left) != 0 {
		t.Errorf("profiles left: %v", left)
	}
}

// TestParent is the process that TestKilledParent kills; alone it does nothing.
func TestParent(t *testing.T) {
	dir := os.Getenv("ROLLCALL_TEST_PARENT")
	if dir == "" {
		return
	}
	b, err := Launch(t.Context(), Options{Headless: true, Sandbox: true, Dir: dir})
	if err != nil {
		fmt.Println("failed", err)
		return
	}
	c, err := b.Context(t.Context(), "http://127.0.0.1:9", core.ContextOptions{})
	if err != nil {
		fmt.Println("failed", err)
		return
	}
	fmt.Println("running", c.(*Isolated).process.cmd.Process.Pid, c.(*Isolated).process.profile.path)
	select {}
}

func TestKilledParentLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestParent$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), "ROLLCALL_TEST_PARENT="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	var path string
	if _, err := fmt.Sscanf(line, "running %d %s", &pid, &path); err != nil {
		t.Fatalf("the parent said %q", line)
	}
	members := group(pid)
	if len(members) < 3 {
		t.Fatalf("the group is %v", members)
	}
	var fds []unix.PollFd
	for _, m := range members {
		fd, err := unix.PidfdOpen(m.pid, 0)
		if errors.Is(err, unix.ESRCH) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		fds = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	cmd.Process.Kill()
	cmd.Wait()
	deadline := time.Now().Add(5 * time.Second)
	for i := range fds {
		n, err := unix.Poll(fds[i:i+1], int(time.Until(deadline).Milliseconds()))
		for errors.Is(err, unix.EINTR) {
			n, err = unix.Poll(fds[i:i+1], int(time.Until(deadline).Milliseconds()))
		}
		if err != nil || n == 0 {
			t.Fatalf("process %d outlives its runner by 5 s (%v): %v", members[i].pid, err, cmdline(members[i].pid))
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("the killed runner's profile: %v", err)
	}
	// The next runner sweeps what is left, and nobody else's.
	other := launch(t, nil)
	b := launch(t, func(o *Options) { o.Dir = dir })
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the profile is still there: %v", err)
	}
	if len(profiles(t, other)) == 0 || len(profiles(t, b)) == 0 {
		t.Error("a living browser's profile was swept")
	}
}

func TestWebRTCStaysInTheProxy(t *testing.T) {
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	heard := make(chan struct{}, 1)
	go func() {
		if _, _, err := udp.ReadFrom(make([]byte, 100)); err == nil {
			heard <- struct{}{}
		}
	}()
	origin := newOrigin(t, map[string]string{"/": "x"})
	b := launch(t, nil)
	c := isolated(t, b, origin.URL, core.ContextOptions{})
	visit(t, c, "http://site.test/")
	port := strconv.Itoa(udp.LocalAddr().(*net.UDPAddr).Port)
	evaluate(t, c, `new Promise(async done => {
		const p = new RTCPeerConnection({iceServers: [{urls: "stun:127.0.0.1:`+port+`"}]});
		p.createDataChannel("x");
		p.onicegatheringstatechange = () => p.iceGatheringState === "complete" && done("");
		await p.setLocalDescription(await p.createOffer());
	})`)
	select {
	case <-heard:
		t.Fatal("WebRTC sent a packet past the proxy")
	default:
	}
}

func TestMissingSandboxIsSaid(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	// A user namespace whose own limit of further ones is zero: the real thing.
	program, _, err := find("", true)
	if err != nil {
		t.Fatal(err)
	}
	wrapper := filepath.Join(dir, "no-namespaces")
	script := "#!/bin/sh\nexec unshare --user --map-user=1000 --keep-caps sh -c 'echo 0 > /proc/sys/user/max_user_namespaces; exec \"$@\"' sh " +
		program + " --disable-setuid-sandbox \"$@\"\n"
	if err := os.WriteFile(wrapper, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	b, err := Launch(ctx, Options{Path: wrapper, Headless: true, Sandbox: true, Dir: filepath.Join(dir, "p")})
	if err == nil {
		b.Close()
	}
	if !errors.Is(err, ErrNoSandbox) || !strings.Contains(err.Error(), "sysctl") || !strings.Contains(err.Error(), "sandbox = false") {
		t.Fatalf("without user namespaces: %v", err)
	}
}

// TestAPageTakesOneProcess: no renderer is kept ready beside those that work.
func TestAPageTakesOneProcess(t *testing.T) {
	origin := newOrigin(t, map[string]string{"/": "x", "/2": "y"})
	b := launch(t, nil)
	var c *Isolated
	for range 3 {
		c = isolated(t, b, origin.URL, core.ContextOptions{})
		for _, at := range []string{"/", "/2", "/"} {
			visit(t, c, "http://site.test"+at)
		}
	}
	renderers := 0
	for _, p := range group(c.process.cmd.Process.Pid) {
		if strings.Contains(strings.Join(cmdline(p.pid), " "), "--type=renderer") {
			renderers++
		}
	}
	if renderers != 3 {
		t.Errorf("%d renderers serve 3 pages", renderers)
	}
}
