package realsites_test

import (
	"os"
	"testing"

	"github.com/rollcall-run/rollcall/drivers/lua"
)

func TestFamilyDriversHaveNoFindings(t *testing.T) {
	for _, name := range []string{"dokuwiki", "mediawiki", "wordpress"} {
		source, err := os.ReadFile("../../scripts/" + name + ".lua")
		if err != nil {
			t.Fatal(err)
		}
		findings, err := lua.Check(lua.Source{Name: name, Text: source, Lib: os.DirFS("../../scripts")})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range findings {
			t.Errorf("%+v", f)
		}
	}
}
