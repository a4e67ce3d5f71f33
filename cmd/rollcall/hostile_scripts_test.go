package main_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/ledger"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// phaseLimit is the configured time of a phase. It leaves an obedient task room
// beside scripts that take every cycle they get.
const phaseLimit = 10 * time.Second

// exitPartly is the exit code of a run in which some tasks were done and others failed.
const exitPartly = 3

// TestHostileScripts runs every driver of the corpus in one runner, with its real
// workers, Chromium, egress ports and ledger, next to obedient tasks.
func TestHostileScripts(t *testing.T) {
	if !inside(t) {
		return
	}
	all := sample(corpus(t))
	world, site, o := hostileWorld(t, all)
	o.control()

	begin := time.Now()
	r := world.startConfined(world.config("hostile",
		"attempts = 50", "attempts = 1", `duration = "2s"`, `duration = "30s"`, `heartbeat = "500ms"`, `heartbeat = "5s"`,
		"worker_mb = 2048", fmt.Sprintf("worker_mb = %d\nphase = %q", workerMB, phaseLimit)), "--once", "--wait", "1s")
	r.browser()
	stall := watchStall()
	code := r.end(4 * patience)
	stalled := stall()
	if code != exitPartly {
		t.Errorf("the runner ended with %d, want %d\n%s", code, exitPartly, r.tail())
	}
	took := time.Since(begin).Round(time.Second)

	if r.count(message("worker ended")) == 0 {
		t.Error("no worker was killed: the memory and the patterns of the corpus strike nothing")
	}
	arrived, asked := o.taken()
	for target, n := range arrived {
		t.Errorf("%d × %s", n, target)
	}
	for name := range asked {
		if !strings.HasSuffix(name, ".lure.test") && !strings.HasSuffix(name, ".hostile.test") {
			t.Errorf("somebody asked for the address of %s", name)
		}
	}
	if site.twin == 0 {
		t.Error("the hosts that drivers may reach were not reached: the drivers' attempts prove nothing")
	}
	o.control() // it still counts

	slow := world.checkEnds(r, all, site)
	for _, task := range world.tasks {
		world.checkReported(task)
		world.checkSite(task, 1)
	}
	leaks := world.checkSecrets(r, all, site)
	late := world.checkTime(all, stalled)
	checkNothingLeft(t, r)
	sayFigures(t, fmt.Sprintf("hostile scripts: %d drivers in %s, %d contained, %d of them by their time before anything else struck; obedient tasks beside them %d of %d profiled; slowest %s past its limit of %s on a machine that stalled for up to %s; connections outside %d, secrets found %d",
		len(all), took, len(all)-failures(t), slow, len(world.tasks)-world.open(), len(world.tasks), max(late, 0).Round(time.Millisecond), phaseLimit, stalled.Round(time.Millisecond), len(arrived), leaks))
}

// failures is 1 for a test that failed: the figures must not praise it.
func failures(t *testing.T) int {
	if t.Failed() {
		return 1
	}
	return 0
}

// workerMB is the memory limit of a worker.
const workerMB = 256

// hostileWorld is a world in which every driver of the corpus has a site and a task.
func hostileWorld(t *testing.T, all []*hostile) (*world, *lureSite, *outside) {
	t.Helper()
	o := newOutside(t, names())
	site := newLureSite(t, o)
	var more strings.Builder
	more.WriteString("[human]\nhold = \"1s\"\n")
	for _, h := range all {
		fmt.Fprintf(&more, "[sites.%q]\nallowed = \"owner\"\nbase_url = %q\npace = { every = \"1ms\" }\n", h.domain(), site.url)
	}
	w := newWorld(t, settings{slots: 4, more: more.String()})
	w.add(w.sb.Board, sandbox.StateRegister, 2)
	for i, h := range all {
		w.write("scripts/"+h.name+".lua", h.text)
		h.task = sandbox.Task{
			ID: fmt.Sprintf("5a9d0b00-0000-4000-8000-5%011d", i), Domain: h.domain(), Username: "u" + strconv.Itoa(i), Email: fmt.Sprintf("u%d@mail.sandbox.test", i),
			Password: canary(), AppPassword: canary(), PassMail: canary(), About: "Writes.", Website: "https://example.com/u",
		}
		w.sb.Manager.Add(h.task)
	}
	w.add(w.sb.Board, sandbox.StateRegister, 2)
	return w, site, o
}

// canary is a secret that is found wherever it turns up. It has what encodings change.
func canary() string { return "Cn&<1+ " + rand.Text() }

// startConfined runs rollcall without the rights that the harness has over its namespace.
func (w *world) startConfined(config string, args ...string) *running {
	w.t.Helper()
	var by []string
	if os.Geteuid() != 0 {
		by = []string{"setpriv", "--ambient-caps=-all", "--inh-caps=-all"}
	}
	return launchBy(w.t, by, append([]string{"run", "-c", config}, args...)...)
}

// checkEnds compares how every driver ended with what its file says. On a machine
// with other work the time of a few may be over before anything else strikes: slow
// is how many.
func (w *world) checkEnds(r *running, all []*hostile, site *lureSite) (slow int) {
	w.t.Helper()
	l := w.ledger()
	defer l.Close()
	for _, h := range all {
		s, _ := w.sb.Manager.Task(h.task.ID)
		ends, said := w.ending(r, l, h, s)
		asSaid := containsAny(said, strings.Split(h.says, " | "))
		if !asSaid && strings.Contains(said, "took longer than its limit") {
			slow++
			asSaid = slow <= max(3, len(all)/20)
		}
		if ends != h.ends || !asSaid {
			w.t.Errorf("%s ended %s, want %s with %q:\n%s", h.name, ends, h.ends, h.says, said)
		}
		if n := s.Count(sandbox.CallComplete) + s.Count(sandbox.CallFail); n > 1 {
			w.t.Errorf("%s was reported %d times", h.name, n)
		}
		site.mu.Lock()
		if n := site.posts[h.name]; n != h.posts {
			w.t.Errorf("%s sent %d sign-ups, want %d", h.name, n, h.posts)
		}
		site.mu.Unlock()
	}
	return slow
}

func containsAny(s string, parts []string) bool {
	return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(s, p) })
}

// ending is how one driver ended, and everything that people are told of it.
func (w *world) ending(r *running, l *ledger.Ledger, h *hostile, s sandbox.Snapshot) (ends, said string) {
	rec, err := l.Task(w.t.Context(), h.task.ID)
	if err != nil || s.Count(sandbox.CallStart) == 0 {
		return "refused", refusal(r, h.name)
	}
	said = s.Result.ErrorMessage + "\n" + rec.Fault
	events, err := l.Events(w.t.Context(), h.task.ID)
	if err != nil {
		w.t.Error(err)
	}
	for _, e := range events {
		said += "\n" + e.Text
		for k, v := range e.Attrs {
			said += "\n  " + k + "=" + v
		}
	}
	switch s.Status {
	case sandbox.StateRegisterFailed:
		return "failed", said
	case sandbox.StateProfileFailed:
		return "profile_failed", said
	case sandbox.StateProfiled:
		return "profiled", said
	}
	switch rec.State {
	case core.Unknown, core.Parked:
		return string(rec.State), said
	case core.Delayed:
		return "waiting", said
	}
	return string(rec.State) + " and " + s.Status, said
}

// refusal is what the runner said of a script that it did not load.
func refusal(r *running, name string) string {
	lines, _ := r.log()
	for _, e := range lines {
		if path, _ := e.fields["script"].(string); strings.HasSuffix(path, "/"+name+".lua") {
			return fmt.Sprint(e.fields["msg"], ": ", e.fields["err"])
		}
	}
	return "the log does not name the script"
}

// checkSecrets looks for the canaries in everything that the runner wrote and sent.
func (w *world) checkSecrets(r *running, all []*hostile, site *lureSite) (found int) {
	w.t.Helper()
	texts := map[string]string{"standard output": r.out.String()}
	lines, _ := r.log()
	for i, e := range lines {
		texts[fmt.Sprintf("line %d of the log", i+1)] = e.text
		if len(e.text) > 24<<10 {
			w.t.Errorf("line %d of the log has %d bytes", i+1, len(e.text))
		}
	}
	state := 0
	err := filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		texts[path], state = string(b), state+len(b)
		return err
	})
	if err != nil {
		w.t.Error(err)
	}
	if state > 64<<20 {
		w.t.Errorf("the state directory has %d MB", state>>20)
	}
	for i, line := range site.wire {
		if !strings.HasPrefix(line, "own ") {
			texts[fmt.Sprintf("request %d to another host", i)] = line
		}
	}
	for _, h := range all {
		s, _ := w.sb.Manager.Task(h.task.ID)
		for _, c := range s.Calls {
			if c.Name != sandbox.CallGet {
				texts[fmt.Sprintf("%s: body %d of %s", h.name, c.N, c.Name)] = string(c.Body)
			}
		}
	}
	for _, h := range all {
		for _, secret := range []string{h.task.Password, h.task.AppPassword, h.task.PassMail} {
			for _, form := range disguises(secret) {
				for where, text := range texts {
					if strings.Contains(text, form) {
						w.t.Errorf("%s: a secret is in %s, as %q", h.name, where, form)
						found++
					}
				}
			}
		}
	}
	return found
}

// disguises are the encodings in which a secret is looked for.
func disguises(s string) []string {
	b := []byte(s)
	quoted, _ := json.Marshal(s)
	reversed := slices.Clone(b)
	slices.Reverse(reversed)
	return []string{
		s, string(reversed), url.QueryEscape(s), url.PathEscape(s), html.EscapeString(s), strings.Trim(string(quoted), `"`), s[7:],
		base64.RawStdEncoding.EncodeToString(b[:len(b)/3*3]), base64.RawURLEncoding.EncodeToString(b[:len(b)/3*3]),
		hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)),
	}
}

// lateBound is how long past its limit a phase may go on until it is classified, on
// a machine that runs what is ready to run.
const lateBound = time.Second

// watchStall begins to look how late this machine wakes a thread that has waited for
// its time, and returns the function that ends it and gives the longest delay.
func watchStall() func() time.Duration {
	stop, worst := make(chan struct{}), make(chan time.Duration)
	go func() {
		const every = 5 * time.Millisecond
		tick := time.NewTimer(every)
		defer tick.Stop()
		longest, begin := time.Duration(0), time.Now()
		for {
			select {
			case <-tick.C:
			case <-stop:
				worst <- longest
				return
			}
			now := time.Now()
			longest, begin = max(longest, now.Sub(begin)-every), now
			tick.Reset(every)
		}
	}()
	return func() time.Duration {
		close(stop)
		return <-worst
	}
}

// checkTime wants every phase classified in time, and returns by how much the
// slowest was past its limit. From the end of the time to the classification the
// runner and the process that it kills are each woken once: so often the machine
// may have stalled.
func (w *world) checkTime(all []*hostile, stalled time.Duration) (late time.Duration) {
	w.t.Helper()
	l := w.ledger()
	defer l.Close()
	late, who := -phaseLimit, ""
	for _, h := range all {
		events, _ := l.Events(w.t.Context(), h.task.ID) // a script that was not loaded has none
		for _, e := range events {
			took, err := time.ParseDuration(e.Attrs["took"])
			if e.Kind == "phase" && err == nil && took-phaseLimit > late {
				late, who = took-phaseLimit, h.name
			}
		}
	}
	if bound := lateBound + 2*stalled; late > bound {
		w.t.Errorf("%s was classified %s past the limit of %s, want %s at most, and twice the %s for which the machine stalled", who, late, phaseLimit, lateBound, stalled)
	}
	return late
}

// checkNothingLeft wants neither process nor file left of a runner that ended.
func checkNothingLeft(t *testing.T, r *running) {
	t.Helper()
	for _, p := range descendants(os.Getpid()) {
		t.Errorf("%s is left", p)
	}
	checkProfiles(t, r.profile)
	left, err := filepath.Glob(filepath.Join(temporary, "*"))
	if err != nil {
		t.Error(err)
	}
	for _, path := range left {
		t.Errorf("%s is left", path)
	}
}
