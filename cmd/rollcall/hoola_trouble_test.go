package main_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// TestImportOnAFullDisk lets the ledger's disk run full before an import and in
// the middle of one.
func TestImportOnAFullDisk(t *testing.T) {
	preflight(t, rightMount)
	w, config, list := newTenant(t)
	mount := func(name, size string) string {
		dir := w.path(name)
		if err := errors.Join(os.Mkdir(dir, 0o700), unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=0700,size="+size)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
		return dir
	}
	small, tiny := mount("ledger", "8m"), mount("results", "16k")
	filler := filepath.Join(small, "filler")
	room := func() {
		t.Helper()
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
	}
	full := func(what string, p *running, words ...string) {
		t.Helper()
		code := p.end(patience)
		lines, _ := p.log()
		said := lines[len(lines)-1].text
		if code != exitFailed || !strings.HasPrefix(said, "rollcall: ") {
			t.Errorf("%s: ended with %d\n%s", what, code, p.tail())
		}
		for _, word := range words {
			if !strings.Contains(said, word) {
				t.Errorf("%s: said %q, which has no %q", what, said, word)
			}
		}
	}
	w.write("one.csv", "name,username,email,password\nVũ Mai,vumai,mai@x.vn,matkhau1\n")
	if code := launch(t, "hoola", "import", w.path("one.csv"), "-c", config).end(patience); code != exitDone {
		t.Fatalf("the first list ended with %d", code)
	}
	args := []string{"hoola", "import", list, "-c", config, "-o", w.path("result.csv")}

	fill(t, filler)
	full("before", launch(t, args...), "the disk is full", small)
	room()
	if all := w.imports(config); len(all) != 1 {
		t.Errorf("the import was stored in part: %+v", all)
	}

	w.sb.Hoola.Fault(func(c sandbox.HoolaCall) sandbox.HoolaFault {
		if c.N == 3 {
			fill(t, filler)
		}
		return sandbox.HoolaFault{}
	})
	full("in the middle", launch(t, args...), "the disk is full", small)
	room()
	w.sb.Hoola.Fault(nil)

	into := filepath.Join(tiny, "result.csv")
	full("the result", launch(t, append(args[:5:5], "-o", into)...), "write the result to "+into, "no space left on device")
	if left, err := os.ReadDir(tiny); err != nil || len(left) > 0 {
		t.Errorf("half a result is left: %v, %v", left, err)
	}
	if code := launch(t, args...).end(patience); code != exitDone {
		t.Errorf("with room again it ended with %d", code)
	}
	w.checkList(w.path("result.csv"))
}

// TestSIGHUPTakesNewTenants adds a tenant to a running runner, changes it, and
// breaks it.
func TestSIGHUPTakesNewTenants(t *testing.T) {
	w, _, _ := newTenant(t)
	tenant := w.o.more
	w.o.more = ""
	config := w.config("one")
	task := func(id string) func() bool {
		w.sb.Manager.Add(sandbox.Task{ID: id, Domain: sandbox.HoolaDomain, Email: id + "@x.vn", Username: id, Password: "matkhau-" + id, FirstName: "Mai", LastName: "Vũ"})
		return func() bool { got, _ := w.sb.Manager.Task(id); return got.Status == sandbox.StateProfiled }
	}
	reload := func(r *running, more, says string) entry {
		t.Helper()
		before, seen := r.count(message(says)), 0
		w.write("one.toml", readText(t, config, tenant)+more)
		r.signal(syscall.SIGHUP)
		return r.await(says, func(e entry) bool {
			if message(says)(e) {
				seen++
			}
			return seen > before
		})
	}
	r := w.start(config)
	first := task("minha")
	r.reachable(w.path("one/control.sock"))
	reload(r, tenant, "configuration read again")
	w.until(r, "the new tenant's task is done", first)

	w.sb.Hoola.SetToken("another-token")
	w.write("hoola.token", "another-token\n")
	reload(r, w.tenantSection("batch = 1"), "configuration read again")
	w.until(r, "a task goes out with the new token", task("minhb"))
	w.write("three.csv", "name,username,email,password\nVũ Mai,mai1,mai1@x.vn,matkhau1\nVũ Mai,mai2,mai2@x.vn,matkhau1\nVũ Mai,mai3,mai3@x.vn,matkhau1\n")
	calls := len(w.sb.Hoola.Calls())
	if code := launch(t, "hoola", "import", w.path("three.csv"), "-c", config, "-o", w.path("three.result.csv")).end(patience); code != exitDone {
		t.Errorf("the list ended with %d", code)
	}
	if n := len(w.sb.Hoola.Calls()) - calls; n != 3 {
		t.Errorf("three users went out in %d calls, want 3 of one user", n)
	}

	for _, c := range []struct{ broken, says string }{
		{w.tenantSection("batch = 101"), "batch"},
		{strings.Replace(tenant, "hoola.token", "missing.token", 1), "missing.token"},
	} {
		if bad := reload(r, c.broken, "the old one stays"); !strings.Contains(bad.text, c.says) || bad.fields["level"] != "ERROR" {
			t.Errorf("a broken tenant is named like this: %s", bad.text)
		}
	}
	w.until(r, "the old tenant still counts", task("minhc"))
	r.stop()
	for _, c := range w.sb.Hoola.Calls() {
		if c.Refused != "" || c.Early {
			t.Errorf("call %d: refused %q, early %t", c.N, c.Refused, c.Early)
		}
	}
}

// readText is a file without what follows a part of it.
func readText(t *testing.T, path, cut string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, _, _ := strings.Cut(string(data), strings.SplitAfter(cut, "\n")[0])
	return before
}
