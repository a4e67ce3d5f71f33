package core_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/rollcall-run/rollcall/"

// arrows are the imports of our own that each room may have. A room that is not
// listed here fails the test: a new room says where it stands.
var arrows = []struct {
	room string   // import path below the module; a final /... covers what is below it
	may  []string // rooms, in the same form
	why  string
}{
	{"core", nil, "the words are the bottom: everything speaks them, they speak nobody"},
	{"core/ledger/ledgertest", []string{"core", "core/ledger", "core/secret"}, "a suite knows what it tests"},
	{"core/mail/mailtest", []string{"core"}, "a mail server for tests knows no room"},
	{"core/runner", []string{"core"}, "the runner reaches other rooms through ports, so that each can be replaced in a test"},
	{"core/browser", []string{"core", "core/page"}, "an engine speaks the words of the page"},
	{"core/html", []string{"core", "core/page"}, "an engine speaks the words of the page"},
	{"core/...", []string{"core"}, "rooms don't know each other: wiring is the command's"},
	{"drivers/lua", []string{"core", "core/browser", "core/html", "core/page", "core/text"}, "a host binds the page verbs of both engines and the text functions"},
	{"drivers/external", []string{"core", "plugins/..."}, "a host speaks the plugin contract"},
	{"drivers/drivertest", []string{"core"}, "a suite knows the contract, not who keeps it"},
	{"drivers/drivertest/...", []string{"drivers/drivertest", "drivers/drivertest/...", "core", "plugins", "plugins/..."}, "the suite's own driver is a plugin as any other"},
	{"drivers", []string{"core", "core/config"}, "the set reads the configuration and loads through a function it is given"},
	{"plugins/...", []string{"core", "core/browser", "core/text", "plugins/..."}, "the SDK serves drivers and lends them the page verbs and the text functions"},
	{"scripts", nil, "scripts are data"},
	{"examples/...", []string{"core", "core/...", "drivers/...", "scripts", "examples/...", "plugins/..."}, "examples use whatever they show"},
	{"cmd/...", []string{"core", "core/...", "drivers", "drivers/...", "plugins", "plugins/...", "scripts", "examples/..."}, "the command wires the rooms"},
}

// owners are libraries that only some rooms import.
var owners = []struct {
	library string
	rooms   []string
	why     string
}{
	{"github.com/BurntSushi/toml", []string{"core/config"}, "one place knows the file format"},
	{"github.com/yuin/gopher-lua", []string{"drivers/lua"}, "one host knows the script language"},
	{"github.com/andybalholm/cascadia", []string{"core/html"}, "one engine reads plain HTML"},
	{"github.com/go-rod/rod", []string{"core/browser", "plugins/..."}, "one room speaks to Chromium; plugins may reach the whole of it"},
	{"modernc.org/sqlite", []string{"core/ledger/..."}, "the only state is the ledger's"},
	{"github.com/jackc/pgx/v5", []string{"core/ledger/..."}, "the only state is the ledger's"},
	{"github.com/emersion/go-imap/v2", []string{"core/mail/...", "examples/sandbox"}, "one room reads mail; the sandbox serves it"},
	{"github.com/hashicorp/go-plugin", []string{"plugins/...", "drivers/external"}, "one contract crosses the process border"},
	{"github.com/spf13/cobra", []string{"cmd/..."}, "flags are the command's"},
}

func within(room, pattern string) bool {
	below, wide := strings.CutSuffix(pattern, "/...")
	return room == pattern || wide && (room == below || strings.HasPrefix(room, below+"/"))
}

// TestArrows holds every package to the rooms and libraries it may import.
func TestArrows(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,Standard", module+"...").Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %s", exit.Stderr)
		}
		t.Fatal(err)
	}
	dec, packages := json.NewDecoder(strings.NewReader(string(out))), 0
	for {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages++
		room := strings.TrimPrefix(p.ImportPath, module)
		i := slices.IndexFunc(arrows, func(a struct {
			room string
			may  []string
			why  string
		}) bool {
			return within(room, a.room)
		})
		if i < 0 {
			t.Errorf("%s is no room of the house: add it to arrows with its reason", room)
			continue
		}
		for _, imp := range p.Imports {
			if other, ours := strings.CutPrefix(imp, module); ours {
				if !slices.ContainsFunc(arrows[i].may, func(m string) bool { return within(other, m) }) && other != room {
					t.Errorf("%s imports %s; it may import %v: %s", room, other, arrows[i].may, arrows[i].why)
				}
				continue
			}
			if arrows[i].room == "core" && strings.Contains(strings.SplitN(imp, "/", 2)[0], ".") {
				t.Errorf("core imports %s; it imports the standard library only", imp)
			}
			for _, o := range owners {
				if within(imp, o.library+"/...") && !slices.ContainsFunc(o.rooms, func(r string) bool { return within(room, r) }) {
					t.Errorf("%s imports %s, which belongs to %v: %s", room, imp, o.rooms, o.why)
				}
			}
		}
	}
	if packages == 0 {
		t.Fatal("go list named no packages")
	}
}
