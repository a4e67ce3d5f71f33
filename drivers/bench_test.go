package drivers_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/drivers"
)

// tenThousand writes as many scripts of 3 kB, each with its domain.
func tenThousand(tb testing.TB) (dir string, sites map[string]config.Site) {
	dir = tb.TempDir()
	sites = map[string]config.Site{}
	body := strings.Repeat("-- what a page of the site looks like, and where its form is\n", 30)
	for i := range 10_000 {
		name := fmt.Sprintf("site%05d", i)
		write(tb, dir, name+".lua", fmt.Sprintf(`%slocal driver = {
  api = 1, name = %q, version = "1.0.0", domains = { "%s.example.org" }, summary = "one of many",
  needs = { "username", "email", "password" }, wants = { "about", "website" },
  limits = { username = { min = 3, max = 20, chars = "a-z0-9_" }, about = { max = 500 } },
}
function driver.register(page, task)
  page:open("/join", { form = "form" })
  page:fields { username = "#u", email = "#e", password = "#p" }
  local seen, said = page:commit("#go", { ok = "url=welcome", refused = ".error" })
  if seen == "refused" then return outcome.refused(said) end
  return outcome.done()
end
return driver
`, body, name, name))
		sites[name+".example.org"] = config.Site{Allowed: "owner"}
	}
	return dir, sites
}

// BenchmarkStart10000 reports the start with an empty and with a warm cache of
// manifests, and the memory that is in use afterwards.
func BenchmarkStart10000(b *testing.B) {
	dir, sites := tenThousand(b)
	cache := filepath.Join(b.TempDir(), "drivers.json")
	open := func() *drivers.Set {
		s, err := drivers.NewSet(drivers.Options{Scripts: []string{dir}, Sites: sites, Cache: cache, Load: load, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		return s
	}
	start := time.Now()
	open()
	cold := time.Since(start).Seconds()
	var s *drivers.Set
	for b.Loop() {
		s = open()
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(cold, "cold-s")
	b.ReportMetric(float64(m.HeapInuse)/1e6, "heap-MB")
	b.ReportMetric(float64(m.Sys)/1e6, "sys-MB")
	if n := len(s.Bindings()); n != 10_000 {
		b.Fatalf("%d bindings", n)
	}
}

// BenchmarkLookup is one domain's driver, of as many as there are.
func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprintf("sites=%d", n), func(b *testing.B) {
			dir := b.TempDir()
			write(b, dir, "board.lua", script("board", `domains = { "s0.example.org" },`))
			sites := map[string]config.Site{}
			for i := range n {
				sites[fmt.Sprintf("s%d.example.org", i)] = config.Site{Allowed: "owner", Driver: "board"}
			}
			s, _ := set(b, drivers.Options{Scripts: []string{dir}, Sites: sites})
			last := fmt.Sprintf("s%d.example.org", n-1)
			for b.Loop() {
				if _, err := s.Lookup(last); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
