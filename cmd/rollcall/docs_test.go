package main

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/drivers/lua"
	"github.com/rollcall-run/rollcall/scripts"
)

func driverReference(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/lua.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheDriverReferenceNamesEverything(t *testing.T) {
	text := driverReference(t)
	entries, err := stubEntries()
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) < 100 {
		t.Fatalf("only %d entries were read from the stub", len(entries))
	}
	names := append(slices.Sorted(maps.Keys(lua.Rules)), ruleDomain)
	for _, e := range entries {
		names = append(names, e.name[strings.LastIndexAny(e.name, ".:")+1:])
		if e.api && !strings.Contains(text, e.name+"(") && !strings.Contains(text, e.name+"{") {
			t.Errorf("docs/lua.md does not show how %s is called", e.name)
		}
	}
	for _, codes := range core.Codes {
		for _, c := range codes {
			names = append(names, string(c))
		}
	}
	for _, n := range names {
		if !strings.Contains(text, n) {
			t.Errorf("docs/lua.md does not name %s", n)
		}
	}
}

func TestTheDriverReferencesExamplesPassCheck(t *testing.T) {
	n := 0
	for i, part := range strings.Split(driverReference(t), "```lua\n") {
		if i == 0 {
			continue
		}
		example, _, _ := strings.Cut(part, "```")
		found, err := lua.Check(lua.Source{Path: "docs/lua.md", Text: []byte(example), Lib: scripts.FS})
		if err != nil || len(found) > 0 {
			t.Errorf("%v %v\n%s", found, err, example)
		}
		n++
	}
	if n != 2 {
		t.Errorf("%d drivers stand in docs/lua.md, there are 2", n)
	}
}
