package browser

import (
	"testing"

	"github.com/rollcall-run/rollcall/core"
)

func TestFillAndClickWithSign(t *testing.T) {
	p := opened(t, `<form onsubmit="event.preventDefault();document.querySelector('#out').textContent='hello '+this.n.value">
		<label for=n>Name *</label><input id=n name=n><button>Send it</button></form><p id=out></p>`, nil)
	ctx := t.Context()
	must[Seen](t)(p.Fill(ctx, Locator{"label=name"}, core.Text("Đức 😀"), nil))
	seen := must[Seen](t)(p.Click(ctx, Locator{"role=button[name=send it]"}, signs("ok", "#out", "bad", ".err")))
	if seen != (Seen{"ok", "hello Đức 😀"}) {
		t.Errorf("%+v", seen)
	}
}
