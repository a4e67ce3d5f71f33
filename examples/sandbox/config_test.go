package sandbox

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestConfigNamesEverySite(t *testing.T) {
	sb := start(t, Options{})
	text := sb.Config("/tmp/demo dir")
	has(t, text, `base_url = "`+sb.Manager.URL+`"`, `imap = "`+sb.Mail.URL+`"`, `api_key = "file:/tmp/demo dir/entity.key"`, `[sites."`+OrphanDomain+`"]`)
	for _, s := range sb.Sites() {
		has(t, text, `[sites."`+s.Domain+`"]`, `base_url = "`+s.URL+`"`)
	}
	if strings.Contains(text, `[sites."`+StrangerDomain) || strings.Contains(text, sb.Manager.APIKey) {
		t.Error("the stranger is allowed, or the key stands in the text")
	}
}

func TestWriteConfigWritesWhatTheTextNames(t *testing.T) {
	sb := start(t, Options{})
	dir := filepath.Join(t.TempDir(), "new")
	path, err := sb.WriteConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != sb.Config(dir) {
		t.Errorf("%s: %v", path, err)
	}
	key, err := os.ReadFile(filepath.Join(dir, "entity.key"))
	if err != nil || strings.TrimSpace(string(key)) != sb.Manager.APIKey {
		t.Errorf("the key is %q, %v", key, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "entity.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file is %v, %v", info.Mode(), err)
	}
	for name, want := range Scripts() {
		if got, err := os.ReadFile(filepath.Join(dir, "scripts", name)); err != nil || string(got) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDemoTasksCoverWhatARealListBrings(t *testing.T) {
	sb := start(t, Options{})
	sb.LoadDemo()
	tasks := sb.Manager.Tasks()
	ids, domains, connect, taken := map[string]bool{}, map[string]int{}, 0, 0
	for _, task := range tasks {
		ids[task.ID] = true
		domains[task.Domain]++
		if task.Taken {
			taken++
		}
		if task.Status == StateConnect {
			connect++
			i := slices.IndexFunc(sb.Sites(), func(s *Site) bool { return s.Domain == task.Domain })
			if a, ok := sb.Sites()[i].Account(task.Email); !ok || a.Password != task.Password {
				t.Errorf("task %s has no account to connect", task.ID)
			}
		}
		if task.AvatarURL != "" {
			resp, body := visit(t, "").read(http.Get(task.AvatarURL))
			if resp.StatusCode != 200 || http.DetectContentType([]byte(body)) != "image/png" {
				t.Errorf("%s: %d", task.AvatarURL, resp.StatusCode)
			}
		}
	}
	http.DefaultClient.CloseIdleConnections()
	if len(ids) != 17 || connect != 2 || taken != 1 {
		t.Errorf("%d tasks, %d connect, %d taken", len(ids), connect, taken)
	}
	for _, d := range []string{BoardDomain, CommunityDomain, WizardDomain, GuardedDomain, StrangerDomain, OrphanDomain, HoolaDomain} {
		if domains[d] == 0 {
			t.Errorf("no task for %s", d)
		}
	}
}
