package outcome_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/format"
	"os"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

var update = flag.Bool("update", false, "write words.go from scripts/lib/words.lua")

// TestWordsAreThoseOfTheScripts: drivers in Go and in Lua read a refusal alike.
func TestWordsAreThoseOfTheScripts(t *testing.T) {
	L := lua.NewState()
	defer L.Close()
	if err := L.DoFile("../../scripts/lib/words.lua"); err != nil {
		t.Fatal(err)
	}
	rules := L.CheckTable(-1)
	var b bytes.Buffer
	b.WriteString("package outcome\n\n// Words are what sites say when they refuse, in English and Vietnamese: the list\n" +
		"// of scripts/lib/words.lua, of which go test ./plugins/outcome -update makes this one.\nvar Words = []Rule{\n")
	for i := 1; i <= rules.Len(); i++ {
		rule := rules.RawGetInt(i).(*lua.LTable)
		fmt.Fprintf(&b, "{Code: %q", rule.RawGetString("code"))
		if f := rule.RawGetString("field"); f != lua.LNil {
			fmt.Fprintf(&b, ", Field: %q", f)
		}
		b.WriteString(", Phrases: []string{\n")
		for n := 1; n <= rule.Len(); n++ {
			fmt.Fprintf(&b, "%q,\n", rule.RawGetInt(n))
		}
		b.WriteString("}},\n")
	}
	b.WriteString("}\n")
	want, err := format.Source(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("words.go", want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile("words.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Error("words.go is not of scripts/lib/words.lua: go test ./plugins/outcome -update")
	}
}
