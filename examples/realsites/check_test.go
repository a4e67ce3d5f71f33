package realsites_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/egress"
	"github.com/rollcall-run/rollcall/drivers/lua"
)

// source is a bundled driver as it stands in the folder.
func source(t *testing.T, name string) lua.Source {
	t.Helper()
	text, err := os.ReadFile("../../scripts/" + name + ".lua")
	if err != nil {
		t.Fatal(err)
	}
	return lua.Source{Name: name, Text: text, Lib: os.DirFS("../../scripts")}
}

func TestFamilyDriversPassTheirOwnTests(t *testing.T) {
	for _, name := range []string{"dokuwiki", "mediawiki", "wordpress"} {
		t.Run(name, func(t *testing.T) {
			findings, err := lua.Check(source(t, name))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range findings {
				t.Errorf("driver check: %+v", f)
			}
			driver, err := lua.Load(source(t, name))
			if err != nil {
				t.Fatal(err)
			}
			results, err := lua.RunTests(t.Context(), driver, lua.TestOptions{Session: session, Files: os.DirFS("../../scripts")})
			if err != nil {
				t.Fatal(err)
			}
			if len(results) < 10 {
				t.Errorf("%d tests", len(results))
			}
			for _, r := range results {
				if !r.Passed() {
					t.Errorf("%s:\n  %s\n  %s\n  %s", r.Test.Name, strings.Join(r.Failures, "\n  "), r.Paste, strings.Join(r.Log, "\n  "))
				}
			}
		})
	}
}

// plainSession reaches base without a browser.
func plainSession(ctx context.Context, base string) (core.Session, func(), error) {
	gate, err := machine.egress.Open(ctx)
	if err != nil {
		return core.Session{}, nil, err
	}
	gate.Admit(core.EgressRules{Domain: "example.org", Base: base, Private: true})
	gate.Until(egress.Forever)
	return core.Session{Base: base, Proxy: gate.URL()}, func() { gate.Close() }, nil
}

// session opens a browser context that reaches base.
func session(ctx context.Context, base string) (core.Session, func(), error) {
	gate, err := machine.egress.Open(ctx)
	if err != nil {
		return core.Session{}, nil, err
	}
	gate.Admit(core.EgressRules{Domain: "example.org", Base: base, Private: true})
	gate.Until(egress.Forever)
	c, err := machine.browser.Context(ctx, gate.URL(), core.ContextOptions{Language: "en"})
	if err != nil {
		gate.Close()
		return core.Session{}, nil, err
	}
	s := core.Session{ControlURL: c.ControlURL(), ContextID: c.ContextID(), TargetID: c.TargetID(), Base: base, Proxy: gate.URL()}
	return s, func() { c.Close(); gate.Close() }, nil
}
