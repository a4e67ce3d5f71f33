package drivers_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/drivers"
)

// TestASitesEngineCountsBeforeTheDrivers binds drivers that name engines, and the
// same where the operator names another.
func TestASitesEngineCountsBeforeTheDrivers(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "usual.lua", script("usual", `family = true,`))
	write(t, dir, "plain.lua", script("plain", `family = true, engine = "http",`))
	write(t, dir, "mixed.lua", script("mixed", `family = true, engine = { profile = "http" },`))
	sites := map[string]config.Site{}
	for _, driver := range []string{"usual", "plain", "mixed"} {
		for _, engine := range []string{"", "http", "browser"} {
			sites[driver+engine+".example.org"] = config.Site{Allowed: "owner", Driver: driver, Engine: engine}
		}
	}
	s, _ := set(t, drivers.Options{Sites: sites, Scripts: []string{dir}})
	for domain, want := range map[string]string{
		"usual": "browser browser", "usualhttp": "http http", "usualbrowser": "browser browser",
		"plain": "http http", "plainhttp": "http http", "plainbrowser": "browser browser",
		"mixed": "browser http", "mixedhttp": "http http", "mixedbrowser": "browser browser",
	} {
		b, err := s.Lookup(domain + ".example.org")
		var none *core.NoBinding
		if errors.As(err, &none) {
			t.Fatal(err)
		}
		if got := strings.Join([]string{b.Manifest.EngineOf(core.Login), b.Manifest.EngineOf(core.Profile)}, " "); got != want {
			t.Errorf("%s signs in and fills the profile in %s, not %s", domain, got, want)
		}
	}
}
