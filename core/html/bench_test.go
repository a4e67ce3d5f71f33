package html_test

import (
	"testing"

	"github.com/rollcall-run/rollcall/core/page"
)

// BenchmarkForm opens a page, fills its form and sends it, through the egress port.
func BenchmarkForm(b *testing.B) {
	s := serve(b, map[string]any{"GET /": `<form method=post action=/to><input type=hidden name=t value=1><input name=u><input type=password name=p><button>Go</button></form>`, "POST /to": "<p id=ok>Thanks</p>"})
	p := attach(b, s, &runner{}, "login")
	ctx := b.Context()
	for b.Loop() {
		if _, err := p.Open(ctx, "/", nil); err != nil {
			b.Fatal(err)
		}
		if _, err := p.Fill(ctx, page.Locator{"[name=u]"}, text("ada"), nil); err != nil {
			b.Fatal(err)
		}
		if _, err := p.Fill(ctx, page.Locator{"[name=p]"}, secret("hush-hush"), nil); err != nil {
			b.Fatal(err)
		}
		if _, err := p.Click(ctx, page.Locator{"role=button[name=Go]"}, sign("ok", "#ok")); err != nil {
			b.Fatal(err)
		}
	}
}
