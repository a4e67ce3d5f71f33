package sandbox

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

//go:embed scripts/*.lua
var scriptFiles embed.FS

// Scripts returns the drivers of the four sites by file name.
func Scripts() map[string]string {
	out := map[string]string{}
	names, err := scriptFiles.ReadDir("scripts")
	if err != nil {
		panic("the embedded scripts can't be listed: " + err.Error())
	}
	for _, n := range names {
		text, err := scriptFiles.ReadFile("scripts/" + n.Name())
		if err != nil {
			panic("an embedded script can't be read: " + err.Error())
		}
		out[n.Name()] = string(text)
	}
	return out
}

// Config is the text of a rollcall.toml for this sandbox whose state is in dir.
// It reads the API key from dir/entity.key and the drivers from dir/scripts;
// WriteConfig writes both.
func (sb *Sandbox) Config(dir string) string {
	var b strings.Builder
	q := strconv.Quote
	fmt.Fprintf(&b, "# A configuration for the sandbox. Every site in it is yours: it runs on this machine.\n\n")
	fmt.Fprintf(&b, "[state]\ndir = %s\n\n", q(filepath.Join(dir, "var")))
	fmt.Fprintf(&b, "[entity]\nbase_url = %s\napi_key = %s\npoll = \"1s\"\nlimit = 50\nexclusive = false\n\n", q(sb.Manager.URL), q("file:"+filepath.Join(dir, "entity.key")))
	fmt.Fprintf(&b, "[store]\nurl = %s\nkey = %s\n\n", q("sqlite:"+filepath.Join(dir, "var", "rollcall.db")), q("file:"+filepath.Join(dir, "seal.key")))
	fmt.Fprintf(&b, "[drivers]\nscripts = [%s]\n\n", q(filepath.Join(dir, "scripts")))
	fmt.Fprintf(&b, "[assets]\nallow = [\"127.0.0.1\"]\n\n[human]\nhold = \"3s\"\n\n")
	fmt.Fprintf(&b, "[mail.\"*\"]\nimap = %s\nuser = \"{email}\"\npassword = [\"{app_password}\"]\n\n", q(sb.Mail.URL))
	fmt.Fprintf(&b, "# The platform asks for ten minutes between two calls; on this machine seconds do.\n[hoola.%s]\nallowed = \"owner\"\nbase_url = %s\ntoken = %s\n",
		q(HoolaDomain), q(sb.Hoola.URL), q("file:"+filepath.Join(dir, "hoola.token")))
	fmt.Fprintf(&b, "every = %s\ntimeout = \"10s\"\nmax_wait = \"1s\"\nprofile_url = %s\n\n", q(sb.Hoola.Every.String()), q(sb.Hoola.URL+"/profile/{userId}"))
	site := func(domain, url, more string) {
		fmt.Fprintf(&b, "[sites.%s]\nallowed = \"owner\"\nbase_url = %s\npace = { every = \"1ms\", concurrency = 2 }\n%s\n", q(domain), q(url), more)
	}
	site(BoardDomain, sb.Board.URL, "terms = \"accept\"\n")
	site(CommunityDomain, sb.Community.URL, "language = \"vi\"\n")
	site(WizardDomain, sb.Wizard.URL, "terms = \"accept\"\n")
	site(GuardedDomain, sb.Guarded.URL, "")
	fmt.Fprintf(&b, "# Allowed, but no driver names it.\n")
	site(OrphanDomain, sb.Board.URL, "")
	fmt.Fprintf(&b, "# %s is not here: nobody has allowed it, so its tasks are never started.\n", StrangerDomain)
	return b.String()
}

// WriteConfig writes rollcall.toml, the API key and the drivers into dir, which
// is made when it is missing, and returns the path of rollcall.toml.
func (sb *Sandbox) WriteConfig(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("sandbox configuration: %w", err)
	}
	files := map[string]string{"rollcall.toml": sb.Config(dir), "entity.key": sb.Manager.APIKey + "\n", "hoola.token": sb.Hoola.Token + "\n"}
	for name, text := range Scripts() {
		files[filepath.Join("scripts", name)] = text
	}
	for _, d := range []string{dir, filepath.Join(dir, "scripts"), filepath.Join(dir, "var")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return "", fmt.Errorf("sandbox configuration: %w", err)
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return "", fmt.Errorf("sandbox configuration: %w", err)
		}
	}
	return filepath.Join(dir, "rollcall.toml"), nil
}
