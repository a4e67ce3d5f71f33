package main_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/examples/sandbox"
)

func (w *world) list(name string, users int) string {
	w.t.Helper()
	var b strings.Builder
	b.WriteString("name,username,email,password\n")
	for i := range users {
		fmt.Fprintf(&b, "Vũ Mai %d,mai%d,mai%d@x.vn,matkhau%d\n", i, i, i, i)
	}
	w.write(name, b.String())
	return w.path(name)
}

// TestListsOfEverySize: a call more for every hundred users begun.
func TestListsOfEverySize(t *testing.T) {
	w, config, _ := newTenant(t)
	for users, calls := range map[int]int{1: 1, 100: 1, 101: 2, 10_001: 101} {
		p := launch(t, "hoola", "plan", w.list("list.csv", users), "-c", config, "--json")
		code := p.end(patience)
		var doc struct {
			Rows, Valid, Calls int
			First, Last        time.Time
		}
		if err := json.Unmarshal(p.out.Bytes(), &doc); err != nil || code != exitDone {
			t.Fatalf("%d users: ended with %d, %v\n%s", users, code, err, p.tail())
		}
		if doc.Rows != users || doc.Valid != users || doc.Calls != calls || doc.Last.Sub(doc.First) != time.Duration(calls-1)*w.sb.Hoola.Every {
			t.Errorf("%d users: %+v", users, doc)
		}
	}
	refused(t, launch(t, "hoola", "plan", w.list("list.csv", 0), "-c", config), exitUsage, "list.csv", "a header and no users")
	users := 10_001
	if raceFlag {
		users = 1001 // the race detector makes the database slow
	}
	if code := launch(t, "hoola", "import", w.list("list.csv", users), "-c", config, "--detach").end(patience); code != exitDone {
		t.Fatalf("%d users: ended with %d", users, code)
	}
	if imp := w.imports(config)[0]; imp.Rows != users || imp.Open != users {
		t.Errorf("%d users: %+v", users, imp)
	}
}

// TestARefusedTokenHoldsTheImport: no user is lost by it, and the same command goes on.
func TestARefusedTokenHoldsTheImport(t *testing.T) {
	w, config, _ := newTenant(t)
	w.write("hoola.token", "another-token\n")
	args := []string{"hoola", "import", w.list("list.csv", 3), "-c", config, "-o", w.path("result.csv")}
	p := launch(t, args...)
	code := p.end(patience)
	if out := p.out.String(); code != exitPerson || !strings.Contains(out, "the token is not accepted (HTTP 401: invalid token); mend it, then: rollcall site resume "+sandbox.HoolaDomain) ||
		strings.Contains(out+p.tail(), "another-token") {
		t.Errorf("ended with %d: %s\n%s", code, out, p.tail())
	}
	w.write("hoola.token", w.sb.Hoola.Token+"\n")
	for _, command := range [][]string{{"site", "resume", sandbox.HoolaDomain, "-c", config}, args} {
		if code := launch(t, command...).end(patience); code != exitDone {
			t.Errorf("%s ended with %d", command[:2], code)
		}
	}
	if n := len(w.sb.Hoola.Users()); n != 3 {
		t.Errorf("%d users are made", n)
	}
}

// TestImportShowsItsProgress: on a terminal a bar over the rows, and how long the
// next call is away.
func TestImportShowsItsProgress(t *testing.T) {
	w, _, _ := newTenant(t)
	w.o.more = strings.Replace(w.o.more, fmt.Sprintf("every = %q", w.sb.Hoola.Every.String()), `every = "3s"`, 1)
	command := fmt.Sprintf("%s hoola import %s -c %s -o %s", binary, w.list("list.csv", 101), w.config("one"), w.path("result.csv"))
	out, err := exec.CommandContext(t.Context(), "script", "-qec", command, "/dev/null").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, part := range []string{"0/101", `\[█{29}·\] 100/101  next call in [123]s`, "call 1: 100 users", "call 2: 1 users", "101 rows: 101 created"} {
		if !regexp.MustCompile(part).Match(out) {
			t.Errorf("the terminal does not show %q:\n%q", part, out)
		}
	}
}
