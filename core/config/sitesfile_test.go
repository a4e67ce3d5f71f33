package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestSitesFileIsStrict(t *testing.T) {
	const head = "[sites.\"a.org\"]\nallowed = \"owner\"\n[[sites_file]]\npath = \"s.csv\"\n"
	cfg := load(t, head, "s.csv", "\ufeffdomain,allowed,expires,driver,base_url,hosts,pace_every,concurrency,on_exists,max_per_day,language,engine,reuse\r\n"+
		"b.org,contract,2027-01-31,mediawiki,https://b.org/w,x.org *.y.org,30s,2,variant,9,vi,http,true\r\n\r\nc.org,,,,,,,,,,,,\r\n")
	b := cfg.Sites["b.org"]
	if !strings.HasSuffix(b.Place, "s.csv:2") {
		t.Errorf("place %s", b.Place)
	}
	b.Place = ""
	want := Site{Domain: "b.org", Allowed: "contract", Expires: time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC), Driver: "mediawiki", BaseURL: "https://b.org/w",
		Hosts: []string{"x.org", "*.y.org"}, Pace: Pace{30 * time.Second, 2}, OnExists: "variant", MaxPerDay: 9, Terms: "person", Language: "vi", Engine: "http", Reuse: true}
	if !reflect.DeepEqual(b, want) {
		t.Errorf("%+v", b)
	}
	if c := cfg.Sites["c.org"]; c.OnExists != "fail" || c.Terms != "person" || len(cfg.Sites) != 3 {
		t.Errorf("%+v", c)
	}
	for csv, want := range map[string]string{
		"":                             "s.csv:1: it has no header line",
		"domain,alowed\n":              "s.csv:1: alowed: unknown column; did you mean allowed?",
		"domain,domain\n":              "s.csv:1: domain: the column is given twice",
		"allowed\n":                    "s.csv:1: domain: the column is missing",
		"domain\nb.org\n\nb.org\n":     "s.csv:4: domain: b.org is given at ",
		"domain\na.org\n":              "rollcall.toml:1 already",
		"domain,allowed\nb.org\n":      "s.csv:2: it has 1 cells, the header has 2",
		"domain\nB.org\n":              "s.csv:2: domain: \"B.org\" must be written as b.org",
		"domain,allowed\n,owner\n":     "s.csv:2: domain: \"\" is not a host name",
		"domain,expires\nb.org,soon\n": "s.csv:2: expires: \"soon\" is not a date",
		"domain,concurrency\nb.org,-1": "s.csv:2: concurrency: \"-1\" is not a whole number",
		"domain,reuse\nb.org,yes":      "s.csv:2: reuse: \"yes\" is neither true nor false",
		"domain,pace_every\nb.org,10":  "s.csv:2: pace_every: \"10\" is not a duration",
		"domain,base_url\nb.org,b.org": "s.csv:2: base_url: it must begin with",
		"domain\n\"b.org\n":            "s.csv:",
	} {
		if _, err := Load(write(t, head, "s.csv", csv)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", csv, err, want)
		}
	}
}

func TestTenThousandSitesLoadFast(t *testing.T) {
	var b strings.Builder
	b.WriteString("domain,allowed,driver,pace_every\n")
	for i := range 10_000 {
		fmt.Fprintf(&b, "site-%d.example.org,owner,mediawiki,30s\n", i)
	}
	path := write(t, "[[sites_file]]\npath = \"s.csv\"\n", "s.csv", b.String())
	began := time.Now()
	cfg, err := Load(path)
	if err != nil || len(cfg.Sites) != 10_000 {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %s", took)
	} else {
		t.Logf("10,000 sites in %s", took)
	}
}

func TestEndedBasisIsAWarning(t *testing.T) {
	cfg := load(t, "[sites.\"a.org\"]\nallowed = \"owner\"\nexpires = 2026-03-31\n[sites.\"b.org\"]\n[sites.\"c.org\"]\nallowed = \"terms\"\nexpires = 2026-03-31T12:00:00+02:00\n")
	lines := func(now time.Time) string { return strings.Join(cfg.Warnings(now), "\n") }
	last := time.Date(2026, 3, 31, 23, 59, 59, 0, time.UTC)
	if got := lines(last); strings.Contains(got, "a.org") || !strings.Contains(got, "rollcall.toml:4: b.org does not run: allowed is not given") || !strings.Contains(got, "c.org does not run: its basis (terms) ended at 2026-03-31T10:00:00Z") {
		t.Errorf("on the last day: %s", got)
	}
	if got := lines(last.Add(time.Second)); !strings.Contains(got, "rollcall.toml:1: a.org does not run: its basis (owner) ended") {
		t.Errorf("a day later: %s", got)
	}
}

// TestReuseSaysWhatItLoses: one line for each such site, wherever it is switched on.
func TestReuseSaysWhatItLoses(t *testing.T) {
	cfg := load(t, "[sites.\"a.org\"]\nallowed = \"owner\"\nreuse = true\n[sites.\"b.org\"]\nallowed = \"owner\"\n[[sites_file]]\npath = \"s.csv\"\n",
		"s.csv", "domain,allowed,reuse\nc.org,terms,true\nd.org,terms,false\n")
	lines := cfg.Warnings(time.Now())
	if len(lines) != 2 || !strings.Contains(lines[0], "rollcall.toml:1: a.org reuses its browser contexts: "+ReuseLoses) || !strings.Contains(lines[1], "s.csv:2: c.org reuses") {
		t.Errorf("%s", strings.Join(lines, "\n"))
	}
	for _, lost := range []string{"different people", "renderer process", "link the accounts"} {
		if !strings.Contains(ReuseLoses, lost) {
			t.Errorf("the line does not name %q", lost)
		}
	}
}
