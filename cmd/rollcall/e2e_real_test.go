package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"os/exec"
	"strings"
	"testing"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/mail/mailtest"
	"github.com/rollcall-run/rollcall/examples/realsites"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// realConfig writes the configuration of a runner for real sites and a real mail server.
func realConfig(w *world, sites *realsites.Sites, all ...*realsites.Site) string {
	w.t.Helper()
	w.o.more = "[human]\nhold = \"1s\"\n"
	for _, s := range all {
		w.o.more += fmt.Sprintf("[sites.%q]\nallowed = \"owner\"\nbase_url = %q\ndriver = %q\npace = { every = \"1ms\" }\n", s.Domain, s.URL, s.Name)
	}
	return w.config("real", "imap = \""+w.sb.Mail.URL+"\"", "imap = \"imap://"+sites.Mail.IMAP+"\"")
}

func realTask(n int, s *realsites.Site) sandbox.Task {
	user := fmt.Sprintf("ada%slovelace%d", s.Name, n)
	return sandbox.Task{
		ID: fmt.Sprintf("5a9d0b00-0000-4000-8000-%012d", n), RequestID: "5a9d0b00-0000-4000-9000-000000000001", Domain: s.Domain,
		Email: user + "@people.test", Username: user, AppPassword: mailtest.Password, Password: "Engine-No-" + user,
		FirstName: "Ada", LastName: "Lovelace", Website: "https://ada.example/notes_" + fmt.Sprint(n),
		About:         "<p>" + user + " writes about <b>engines</b> &amp; looms.</p>",
		SocialConnect: []string{"https://social.example/" + user},
		EntityConnect: []string{"https://wiki.example/User:" + user, "https://social.example/" + user},
	}
}

// checkReal reads the profile as a stranger, and the site's own data.
func checkReal(t *testing.T, w *world, s *realsites.Site, task sandbox.Task, links ...string) {
	t.Helper()
	snap, _ := w.sb.Manager.Task(task.ID)
	rec := w.record(task.ID)
	name := task.Username
	if u := rec.Account.Username.Reveal(); u != "" {
		name = u
	}
	if n, err := s.AccountCount(t.Context(), name); err != nil || n != 1 {
		t.Errorf("%s has %d accounts of %s (%v), want 1", s.Name, n, name, err)
	}
	page, err := s.Get(t.Context(), snap.Result.LinkProfile)
	if err != nil || page.Status != 200 {
		t.Errorf("%s: link_profile %q answers %d (%v)", s.Name, snap.Result.LinkProfile, page.Status, err)
		return
	}
	text := html.UnescapeString(page.HTML)
	for _, want := range append(links, "engines", "looms") {
		if !strings.Contains(text, want) {
			t.Errorf("%s: %s does not show %q", s.Name, snap.Result.LinkProfile, want)
		}
	}
}

// TestRealSites takes tasks of DokuWiki, MediaWiki and WordPress, as Debian
// packages them, from the task manager to the public profile, and then adds the
// links of the connect phase.
func TestRealSites(t *testing.T) {
	sites := realsites.For(t)
	all := []*realsites.Site{sites.DokuWiki(realsites.Options{}), sites.MediaWiki(realsites.Options{}), sites.WordPress(realsites.Options{})}
	w := newWorld(t, settings{})
	config := realConfig(w, sites, all...)
	var tasks []sandbox.Task
	for i, s := range all {
		tasks = append(tasks, realTask(i+1, s))
	}
	w.sb.Manager.Add(tasks...)
	r := w.start(config, "--once")
	if code := r.end(2 * patience); code != exitDone {
		t.Fatalf("ended with %d\n%s", code, r.tail())
	}
	for i, s := range all {
		if snap, _ := w.sb.Manager.Task(tasks[i].ID); snap.Status != sandbox.StateProfiled {
			t.Fatalf("%s: %s: %s", s.Name, snap.Status, snap.Result.ErrorMessage)
		}
		checkReal(t, w, s, tasks[i], tasks[i].Website)
	}

	for _, task := range tasks {
		if err := w.sb.Manager.Edit(task.ID, sandbox.StateConnect); err != nil {
			t.Fatal(err)
		}
	}
	r = w.start(config, "--once")
	if code := r.end(2 * patience); code != exitDone {
		t.Fatalf("connect ended with %d\n%s", code, r.tail())
	}
	for i, s := range all {
		if snap, _ := w.sb.Manager.Task(tasks[i].ID); snap.Status != sandbox.StateCompleted {
			t.Errorf("%s: connect: %s: %s", s.Name, snap.Status, snap.Result.ErrorMessage)
		}
		checkReal(t, w, s, tasks[i], append([]string{tasks[i].Website}, tasks[i].EntityConnect...)...)
	}
}

// TestRealCaptcha: the site asks a question at sign-up. The task is held, then
// parked; nothing is submitted until a person has answered.
func TestRealCaptcha(t *testing.T) {
	sites := realsites.For(t)
	site := sites.MediaWiki(realsites.Options{Captcha: true})
	w := newWorld(t, settings{})
	config := realConfig(w, sites, site)
	task := realTask(1, site)
	w.sb.Manager.Add(task)
	r := w.start(config)
	r.await("the task is held", func(e entry) bool { return e.is("task", task.ID, "state", string(core.Held)) })
	r.await("the task is parked", func(e entry) bool { return e.is("task", task.ID, "state", string(core.Parked)) })
	if n, err := site.AccountCount(t.Context(), task.Username); err != nil || n != 0 {
		t.Fatalf("%d accounts before anybody answered (%v)", n, err)
	}
	posts, err := site.Posts()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range posts {
		if strings.Contains(p, "CreateAccount") {
			t.Errorf("something was submitted before anybody answered: %s", p)
		}
	}
	asks := rollcall(t, "human", "list", "--json", "-c", config)
	var list []struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(asks, &list); err != nil || len(list) != 1 {
		t.Fatalf("human list: %v\n%s", err, asks)
	}
	rollcall(t, "human", "answer", list[0].ID, realsites.CaptchaAnswer, "-c", config)
	w.until(r, "the task is profiled", func() bool {
		s, _ := w.sb.Manager.Task(task.ID)
		return s.Status == sandbox.StateProfiled
	})
	r.stop()
	checkReal(t, w, site, task, task.Website)
}

// rollcall runs a command that must end well, and returns what it printed.
func rollcall(t *testing.T, args ...string) []byte {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		t.Fatalf("rollcall %s: %v\n%s", strings.Join(args, " "), err, errOut.Bytes())
	}
	return out.Bytes()
}
