package plugins_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-run/rollcall/plugins"
)

func TestAnAddressThatIsNoneIsOneClearLine(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for _, c := range []struct{ address, words string }{
		{"garden", `"garden" is no address of a plugin: start the plugin with --debug and take the one it prints`},
		{"one,unix,/x", "is no address of a plugin"},
		{"1,tcp,127.0.0.1:1", "is no address of a plugin"},
		{"9,unix," + none, "speaks version 9 of the driver contract, this rollcall version 1; update rollcall, or rebuild it against"},
		{"0,unix," + none, "speaks version 0 of the driver contract, this rollcall version 1; rebuild it against"},
		{"1,unix," + none, "no plugin answers at 1,unix," + none + "; start it with --debug"},
	} {
		client, _, err := plugins.Dial(c.address)
		if client != nil || err == nil || !strings.Contains(err.Error(), c.words) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want %q", c.address, err, c.words)
		}
	}
}
