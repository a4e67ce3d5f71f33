package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// write puts the files into a new directory and returns the path of rollcall.toml.
func write(t testing.TB, toml string, more ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i, text := range append([]string{"rollcall.toml", toml}, more...) {
		if i%2 == 0 {
			continue
		}
		name := append([]string{"rollcall.toml", toml}, more...)[i-1]
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "rollcall.toml")
}

func load(t *testing.T, toml string, more ...string) *Config {
	t.Helper()
	cfg, err := Load(write(t, toml, more...))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestEmptyFileGivesTheDefaults(t *testing.T) {
	t.Setenv("HOME", "/home/someone")
	path := write(t, "")
	cfg, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(path)
	if cfg.State.Dir != filepath.Join(dir, "var") || cfg.Store.URL != "sqlite:"+filepath.Join(dir, "var/rollcall.db") ||
		cfg.Store.Key != "file:/home/someone/.config/rollcall/key" || cfg.Drivers.Scripts[0] != filepath.Join(dir, "scripts") || cfg.Browser.Path != "" {
		t.Errorf("paths: %+v %+v %+v %+v", cfg.State, cfg.Store, cfg.Drivers, cfg.Browser)
	}
	want := Default()
	if cfg.Retry != want.Retry || cfg.Lease != want.Lease || cfg.Human != want.Human || cfg.Entity.States != States(core.DefaultStateNames) || len(cfg.Sites) != 0 {
		t.Errorf("%+v", cfg)
	}
	if !reflect.DeepEqual(Default(), want) {
		t.Error("Load changed the defaults")
	}
}

const full = `allow_literal_secrets = false
[state]
dir = "/srv/rollcall"
retention = "90d"
[entity]
base_url = "http://127.0.0.1:8080/api"
api_key = "env:RC_TEST_KEY"
limit = 1_000
connect = false
states.register = "new"
[store]
url = "env:RC_TEST_DB"
key = "cred:key"
[browser]
slots = 4
[[plugin]]
path = "bin/x"
sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF"
[sites."wiki.example.org"]
allowed = "owner"
expires = 2027-12-31
driver = "mediawiki"
base_url = "http://127.0.0.1:8081/w"
hosts = ["cdn.example.org", "*.img.example.org"]
pace = { every = "1d", concurrency = 3 }
on_exists = "adopt"
max_per_day = 50
terms = "accept"
language = "pt-BR"
options = { author = "/a/", deep = true, size = 3, ratio = 0.5 }
[sites."xn--bcher-kva.example"]
[[sites_file]]
path = "sites.csv"
[mail]
hold = "30s"
[mail."*"]
imap = "imaps://imap.example.org:993"
[mail."example.org"]
imap = "imap://127.0.0.1:1143"
user = "{user}"
password = "file:pw"
[log]
level = "debug"
`

func TestEverySettingIsRead(t *testing.T) {
	t.Setenv("RC_TEST_KEY", "key-canary")
	t.Setenv("RC_TEST_DB", "postgres://u:pw@db/x")
	path := write(t, full, "pw", "mail-canary\r\n", "sites.csv", "domain\n")
	cfg, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(path)
	site := cfg.Sites["wiki.example.org"]
	want := Site{
		Domain: "wiki.example.org", Place: path + ":19", Allowed: "owner", Expires: time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC),
		Driver: "mediawiki", BaseURL: "http://127.0.0.1:8081/w", Hosts: []string{"cdn.example.org", "*.img.example.org"},
		Pace: Pace{Every: 24 * time.Hour, Concurrency: 3}, OnExists: "adopt", MaxPerDay: 50, Terms: "accept", Language: "pt-BR",
		Options: map[string]any{"author": "/a/", "deep": true, "size": 3.0, "ratio": 0.5},
	}
	if !reflect.DeepEqual(site, want) {
		t.Errorf("site\n%+v, want\n%+v", site, want)
	}
	if other := cfg.Sites["xn--bcher-kva.example"]; other.OnExists != "fail" || other.Terms != "person" || other.Allowed != "" || other.Domain != "xn--bcher-kva.example" {
		t.Errorf("%+v", other)
	}
	if cfg.Entity.Limit != 1000 || cfg.Entity.Connect || !cfg.Entity.Exclusive || cfg.Entity.States.Register != "new" || cfg.State.Retention != 90*day || cfg.Browser.Slots != 4 || cfg.Log.Level != "debug" {
		t.Errorf("%+v %+v", cfg.Entity, cfg.State)
	}
	if p := cfg.Plugins[0]; p.Path != filepath.Join(dir, "bin/x") || p.Place != path+":16" {
		t.Errorf("%+v", p)
	}
	if v, err := cfg.Entity.APIKey.Resolve(); err != nil || v.Reveal() != "key-canary" || !v.IsSecret() {
		t.Errorf("%v, %v", v, err)
	}
	if v, err := cfg.Store.Address(); err != nil || v.Reveal() != "postgres://u:pw@db/x" || !v.IsSecret() {
		t.Errorf("%v, %v", v, err)
	}
	all, own := cfg.Mail.Boxes["*"], cfg.Mail.Boxes["example.org"]
	if all.User != "{email}" || len(all.Password) != 2 || all.Password[1].String() != "{pass_mail}" || own.User != "{user}" || cfg.Mail.Hold != 30*time.Second {
		t.Errorf("%+v", cfg.Mail)
	}
	if v, err := own.Password[0].Resolve(); err != nil || v.Reveal() != "mail-canary" {
		t.Errorf("%v, %v", v, err)
	}
	if v, err := all.Password[0].Resolve(); err != nil || v.Reveal() != "{app_password}" || v.IsSecret() {
		t.Errorf("%v, %v", v, err)
	}
	err = cfg.Check()
	if ps := Problems(err); len(ps) != 1 || ps[0].Key != "plugin.path" || ps[0].Line != 16 || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Check: %v", err)
	}
}

func TestMistakesAreNamedWithTheirLine(t *testing.T) {
	for toml, want := range map[string]string{
		"[entity]\npol = \"1s\"": "2: entity.pol: unknown key; did you mean poll?",
		"[entiyt]\n":             "1: entiyt: unknown key; did you mean entity?",
		"\n[bulk.\"abc.hoola.vn\"]\nallowed = \"owner\"":                    "2: bulk: unknown key",
		"[hoola.\"abc.hoola.vn\"]\nevery = \"9m\"":                          "2: hoola.\"abc.hoola.vn\".every: it must be at least 10m",
		"[hoola.\"abc.hoola.vn\"]\nbatch = 101":                             "2: hoola.\"abc.hoola.vn\".batch: it must be at most 100",
		"[hoola.\"abc.hoola.vn\"]\nhold_above = 2":                          "2: hoola.\"abc.hoola.vn\".hold_above: it must be from 0 to 1",
		"[hoola.\"abc.hoola.vn\"]\nname = \"{nickname}\"":                   "2: hoola.\"abc.hoola.vn\".name: {nickname} is not one of",
		"[hoola.\"abc.hoola.vn\"]\nprofile_url = \"https://abc.hoola.vn/\"": "2: hoola.\"abc.hoola.vn\".profile_url: it names neither",
		"[hoola.\"abc.hoola.vn\"]\nbase_url = \"http://abc.hoola.vn\"":      "2: hoola.\"abc.hoola.vn\".base_url: http:// would send the token",
		"[dashboard]\naddr = \"127.0.0.1:1\"":                               "1: dashboard: unknown key",
		"[entity]\nlimit = 1\nlimit = 2":                                    "3: entity.limit: the key is given twice",
		"[entity]\nlimit = \"50\"":                                          "2: entity.limit: wanted a whole number, got a text",
		"[entity]\nlimit = 0":                                               "2: entity.limit: it must be at least 1",
		"[entity]\nlimit = 1001":                                            "2: entity.limit: it must be at most 1000",
		"[entity]\nconnect = \"yes\"":                                       "2: entity.connect: wanted true or false, got a text",
		"[entity]\npoll = 15":                                               "2: entity.poll: wanted a duration in quotes, such as \"30s\", got a number",
		"[entity]\npoll = \"15\"":                                           "2: entity.poll: \"15\" is not a duration",
		"[entity]\npoll = \"-1s\"":                                          "2: entity.poll: \"-1s\" is not a duration",
		"[entity]\npoll = \"1ms\"":                                          "2: entity.poll: it must be at least 1s",
		"entity = 3":                                                        "1: entity: wanted a table, got a number",
		"[entity]\nbase_url = \"http://m.example.org\"":                     "2: entity.base_url: http:// would send the key unencrypted",
		"[entity]\nbase_url = \"ftp://m.example.org\"":                      "2: entity.base_url: it must begin with http:// or https://",
		"[entity]\napi_key = \"literal-canary\"":                            "2: entity.api_key: a secret in plain text",
		"[entity]\napi_key = \"env:\"":                                      "2: entity.api_key: env: must be followed",
		"[entity]\napi_key = 7":                                             "2: entity.api_key: wanted env:NAME or file:PATH in quotes, got a number",
		"[entity.states]\nconnect = \"register\"":                           "2: entity.states.connect: \"register\" is the name of register too",
		"[entity.states]\nconnect = \"\"":                                   "2: entity.states.connect: it is empty",
		"[store]\nurl = \"mysql://x\"":                                      "2: store.url: it must be sqlite:PATH",
		"[store]\nurl = \"postgres://u:literal-canary@h/d\"":                "2: store.url: a password in plain text",
		"[store]\nurl = \"postgres:///d?host=/s&password=literal-canary\"":  "2: store.url: a password in plain text",
		"[store]\nkey = \"literal-canary\"":                                 "2: store.key: it must be file:PATH",
		"[[plugin]]\npath = \"x\"":                                          "1: plugin: sha256 is missing",
		"[[plugin]]\npath = \"x\"\nsha256 = \"abc\"":                        "3: plugin.sha256: it is not the 64 hex digits",
		"[[plugin]]\npath=\"x\"\nsha=\"\"\n[[plugin]]\n\npat=\"\"":          "6: plugin.pat: unknown key; did you mean path?",
		"[sites.\"Wiki.example.org\"]":                                      "1: sites.\"Wiki.example.org\": \"Wiki.example.org\" must be written as wiki.example.org",
		"[sites.\"bücher.example\"]":                                        "1: sites.\"bücher.example\": \"bücher.example\" must be written as xn--bcher-kva.example",
		"[sites.\"https://x.org\"]":                                         "1: sites.\"https://x.org\": \"https://x.org\" is not a host name",
		"[sites.\"x.org\"]\nallowed = \"ower\"":                             "2: sites.\"x.org\".allowed: \"ower\" is not one of owner, contract, terms; did you mean owner?",
		"[sites.\"x.org\"]\nexpires = \"2027-12-31\"":                       "2: sites.\"x.org\".expires: wanted a date without quotes, such as 2027-12-31, got a text",
		"[sites.\"x.org\"]\nexpires = 12:00:00":                             "2: sites.\"x.org\".expires: wanted a date",
		"[sites.\"x.org\"]\nbase_url = \"https://u:p@x.org\"":               "2: sites.\"x.org\".base_url: it holds a user name or password",
		"[sites.\"x.org\"]\nbase_url = \"https://x.org?a\"":                 "2: sites.\"x.org\".base_url: it has a query",
		"[sites.\"x.org\"]\nbase_url = \"https://x.org:99999\"":             "2: sites.\"x.org\".base_url: port 99999",
		"[sites.\"x.org\"]\nhosts = [\"a b\"]":                              "2: sites.\"x.org\".hosts: \"a b\" is not a host name",
		"[sites.\"x.org\"]\nhosts = \"a\"":                                  "2: sites.\"x.org\".hosts: wanted a list of texts",
		"[sites.\"x.org\"]\npace = { evry = \"1s\" }":                       "2: sites.\"x.org\".pace.evry: unknown key; did you mean every?",
		"[sites.\"x.org\"]\nlanguage = \"english please\"":                  "2: sites.\"x.org\".language: \"english please\" is not a language tag",
		"[sites.\"x.org\"]\noptions = { a = [1] }":                          "2: sites.\"x.org\".options.a: wanted a text, a number, true or false, got a list",
		"[sites.\"x.org\"]\noptions = { a = nan }":                          "2: sites.\"x.org\".options.a: it must be a finite number",
		"[sites]\n\"x.org\" = true":                                         "2: sites.\"x.org\": wanted a table, got true or false",
		"[[sites_file]]\npath = \"none.csv\"":                               "1: sites_file.path: ",
		"[mail.\"*\"]\nuser = \"x\"":                                        "1: mail.\"*\": imap is missing",
		"[mail.\"*\"]\nimap = \"pop3://x\"":                                 "2: mail.\"*\".imap: it must begin with imap:// or imaps://",
		"[mail.\"*\"]\nimap=\"imaps://x\"\npassword=[\"{a}b\"]":             "3: mail.\"*\".password: a secret in plain text",
		"[mail]\nhodl = \"1s\"":                                             "2: mail.hodl: unknown key; did you mean hold?",
		"[lease]\nheartbeat = \"16s\"":                                      "2: lease.heartbeat: 16s is more than half",
		"[retry]\nbackoff_min = \"1h\"":                                     "2: retry.backoff_min: 1h0m0s is more than backoff_max",
		"[assets]\nallow = [\"10.0.0.1\", \"http://x\"]":                    "2: assets.allow: \"http://x\" is neither",
		"[drivers]\nscripts = [1]":                                          "2: drivers.scripts: wanted a list of texts",
		"[log]\nlevel = \"loud\"":                                           "2: log.level: \"loud\" is not one of debug, info, warn, error",
		"[entity]\nlimit = = 3":                                             "2: entity.limit: ",
		"x = \"\xff\"":                                                      "1: ",
	} {
		path := write(t, toml)
		cfg, err := Load(path)
		if err == nil || cfg != nil {
			t.Errorf("%q is accepted", toml)
			continue
		}
		found := false
		for _, p := range Problems(err) {
			found = found || strings.HasPrefix(p.Error(), path+":"+want)
			if strings.ContainsAny(p.Error(), "\n\r") {
				t.Errorf("%q: more than one line: %q", toml, p.Error())
			}
		}
		if !found {
			t.Errorf("%q:\n got %v\nwant %s", toml, err, want)
		}
		if strings.Contains(err.Error(), "literal-canary") {
			t.Errorf("%q: the error shows the secret: %v", toml, err)
		}
	}
}

func TestEveryProblemIsReportedAtOnce(t *testing.T) {
	path := write(t, "[entity]\nlimit = 0\npoll = 1\npoll = 2\nlimit = 4\n[browser]\nslots = \"x\"\nheadles = true\n[sites.\"X.org\"]\nallowed = \"me\"\n[[sites_file]]\npath = \"s.csv\"\n",
		"s.csv", "domain,allowed\nx.org,nobody\n")
	_, err := Load(path)
	var got []string
	for _, p := range Problems(err) {
		got = append(got, fmt.Sprintf("%s:%d %s", filepath.Base(p.File), p.Line, p.Key))
	}
	want := []string{"rollcall.toml:2 entity.limit", "rollcall.toml:3 entity.poll", "rollcall.toml:4 entity.poll", "rollcall.toml:5 entity.limit",
		"rollcall.toml:7 browser.slots", "rollcall.toml:8 browser.headles", `rollcall.toml:9 sites."X.org"`, `rollcall.toml:10 sites."X.org".allowed`, "s.csv:2 allowed"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	var p *Problem
	if !errors.As(err, &p) {
		t.Error("the error is no *Problem for errors.As")
	}
}

func TestDeepNestingIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"open":   "x = 1\na = " + strings.Repeat("[", 4<<20),
		"lists":  "\na = " + strings.Repeat("[", 1<<20) + strings.Repeat("]", 1<<20),
		"tables": "\na = " + strings.Repeat("{a=", 1<<20) + "1" + strings.Repeat("}", 1<<20),
		"dots":   "\n" + strings.Repeat("a.", 1<<20) + "b = 1",
	} {
		_, err := Load(write(t, text))
		if ps := Problems(err); len(ps) != 1 || ps[0].Line != 2 || !strings.Contains(ps[0].Msg, "nested") {
			t.Errorf("%s: %.200v", name, err)
		}
	}
}

func TestUnreadableFilesAreNamed(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "none.toml"), dir} {
		if _, err := Load(path); err == nil || !strings.HasPrefix(err.Error(), path+": can't be read: ") {
			t.Errorf("%v", err)
		}
	}
}

func TestMissingSecretsAreNamedByCheck(t *testing.T) {
	path := write(t, "[entity]\napi_key = \"env:RC_NOT_SET_ANYWHERE\"\n[mail.\"*\"]\nimap = \"imaps://x.org\"\npassword = [\"{app_password}\", \"file:none\"]\n[store]\nurl = \"file:dir\"\n")
	if err := os.Mkdir(filepath.Join(filepath.Dir(path), "dir"), 0o700); err != nil {
		t.Fatal(err)
	}
	cfg, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	err = cfg.Check()
	for _, want := range []string{path + ":2: entity.api_key: the environment variable RC_NOT_SET_ANYWHERE is not set", path + ":5: mail.\"*\".password: the secret's file can't be used", path + ": store.url: the secret's file can't be used"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %s", err, want)
		}
	}
	if _, err := (Secret{}).Resolve(); !errors.Is(err, ErrUnset) {
		t.Errorf("unset: %v", err)
	}
}

func TestLiteralSecretsWorkWhenAskedForAndNeverPrint(t *testing.T) {
	cfg := load(t, "allow_literal_secrets = true\n[entity]\napi_key = \"literal-canary\"\n[store]\nurl = \"postgres://u:pw@h/d\"")
	if v, err := cfg.Entity.APIKey.Resolve(); err != nil || v.Reveal() != "literal-canary" || !v.IsSecret() {
		t.Errorf("%v, %v", v, err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if got := fmt.Sprintf(verb, cfg.Entity); strings.Contains(got, "canary") {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(full)
	f.Add(example)
	f.Add("a.\"b\\u0041\".'c' = [1, {x = \"]\", y = '''}'''}] # z\n[[a]]\n[a.b]\nk = \"\"\"\n\\\"\"\"\"\n")
	f.Add("[entity]\nlimit = 1\nlimit = 2\n[entity]\n")
	f.Add("sites.\"x.org\".options = { a = inf, b = 1979-05-27T07:32:00Z }")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 64<<10 {
			return
		}
		cfg, problems := parse("f.toml", "/nowhere", text)
		if cfg == nil && len(problems) == 0 {
			t.Error("neither a configuration nor a problem")
		}
		lines := strings.Count(text, "\n") + 1
		for _, p := range problems {
			if p.Line < 0 || p.Line > lines+1 {
				t.Errorf("line %d of %d: %v", p.Line, lines, p)
			}
		}
		if cfg != nil {
			cfg.Warnings(time.Unix(0, 0))
			again, twice := parse("f.toml", "/nowhere", text)
			if len(twice) != len(problems) || len(problems) == 0 && fmt.Sprint(again.Entity) != fmt.Sprint(cfg.Entity) {
				t.Error("loading is not repeatable")
			}
		}
	})
}
