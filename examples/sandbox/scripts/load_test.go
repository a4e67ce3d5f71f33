package scripts_test

import (
	"os"
	"strings"
	"testing"

	"github.com/rollcall-run/rollcall/drivers/lua"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// TestScriptsLoad holds the drivers to the host's own loader.
func TestScriptsLoad(t *testing.T) {
	scripts := sandbox.Scripts()
	for _, want := range []string{"board.lua", "community.lua", "guarded.lua", "wizard.lua"} {
		text, ok := scripts[want]
		if !ok {
			t.Fatalf("%s is missing", want)
		}
		name := strings.TrimSuffix(want, ".lua")
		d, err := lua.Load(lua.Source{Name: name, Path: want, Text: []byte(text), Lib: os.DirFS("../../../scripts")})
		if err != nil {
			t.Fatal(err)
		}
		m := d.Manifest()
		if len(m.Domains) != 1 || m.Domains[0] != name+".sandbox.test" {
			t.Errorf("%s names the domains %v", want, m.Domains)
		}
	}
}
