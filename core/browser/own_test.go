package browser

import (
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// TestAnOwnProcessServesOneContext: whoever has its address sees nobody else's
// page, and it ends with its context.
func TestAnOwnProcessServesOneContext(t *testing.T) {
	origin := newOrigin(t, map[string]string{"/": "<p>hello"})
	b := launch(t, nil)
	shared := isolated(t, b, origin.URL, core.ContextOptions{})
	own := isolated(t, b, origin.URL, core.ContextOptions{Own: true, Language: "vi"})
	other := isolated(t, b, origin.URL, core.ContextOptions{Own: true})
	again := isolated(t, b, origin.URL, core.ContextOptions{})
	if own.ControlURL() == shared.ControlURL() || own.ControlURL() == other.ControlURL() {
		t.Error("an own process is shared")
	}
	if again.ControlURL() != shared.ControlURL() {
		t.Error("an own process took the place of the one that serves all")
	}
	visit(t, own, "http://site.test/")
	if got := origin.header("/", "Accept-Language"); got != "vi" {
		t.Errorf("Accept-Language is %q", got)
	}
	process := own.process
	if err := own.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-process.gone:
	case <-time.After(10 * time.Second):
		t.Fatal("the process outlives its context")
	}
	visit(t, shared, "http://site.test/")
	visit(t, other, "http://site.test/")
}
