package lua

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/text"
)

// TestOptions are what RunTests needs.
type TestOptions struct {
	// Session opens a fresh browser context that reaches base, a loopback address
	// unless the test is live. Base and Services of it are replaced. Required.
	Session func(ctx context.Context, base string) (s core.Session, release func(), err error)
	Files   fs.FS             // holds testdata/DRIVER/…
	Live    map[string]string // addresses of the sites that live tests name; the others are skipped
	Only    string            // part of the names of the tests to run; all when empty
	Timeout time.Duration     // of one test; a minute when zero
	Done    func(TestResult)  // called as each test ends, skipped ones too; may be nil
}

// TestResult is what became of one test.
type TestResult struct {
	Test     Test
	Skipped  string   // why the test was not run
	Failures []string // one line each; none when the test passed
	Paste    string   // the want that would have passed, when it failed and there was an outcome
	Log      []string // what the script printed, and the verbs that failed
	Took     time.Duration
}

// Passed reports whether the test was run and found nothing.
func (r TestResult) Passed() bool { return r.Skipped == "" && len(r.Failures) == 0 }

// RunTests runs the tests in the driver's file, one after another, each in a
// browser context of its own. An error is for what is not the driver's fault.
func RunTests(ctx context.Context, d *Driver, o TestOptions) ([]TestResult, error) {
	if o.Session == nil {
		return nil, errors.New("lua.RunTests: Session is required")
	}
	var out []TestResult
	done := func(r TestResult) {
		out = append(out, r)
		if o.Done != nil {
			o.Done(r)
		}
	}
	for _, t := range d.tests {
		if !strings.Contains(t.Name, o.Only) {
			continue
		}
		r := TestResult{Test: t}
		if t.Live != "" && o.Live[t.Live] == "" {
			r.Skipped = fmt.Sprintf("live = %q: no address was given for it", t.Live)
			done(r)
			continue
		}
		start := time.Now()
		if err := d.runTest(ctx, o, t, &r); err != nil {
			return out, fmt.Errorf("test %q: %w", t.Name, err)
		}
		r.Took = time.Since(start)
		done(r)
	}
	return out, nil
}

func (d *Driver) runTest(ctx context.Context, o TestOptions, t Test, r *TestResult) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(o.Timeout, time.Minute))
	defer cancel()
	dir := "testdata/" + d.manifest.Name
	task := d.testTask(t)
	base := o.Live[t.Live]
	var site *testSite
	if t.Live == "" {
		var err error
		if site, err = newTestSite(t, o.Files, dir, func(s, base string) string { return expandFor(s, base, task) }); err != nil {
			r.Failures = append(r.Failures, err.Error())
			return nil
		}
		defer site.close()
		base = site.base
	}
	expand := func(s string) string { return expandFor(s, base, task) }
	temp, err := os.MkdirTemp("", "rollcall-test-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := os.Chmod(temp, 0o755); err != nil {
		return err
	}
	services := &testServices{test: t, task: task, expand: expand, files: o.Files, dir: dir, temp: temp}
	session, release, err := o.Session(ctx, base)
	if err != nil {
		return fmt.Errorf("open a browser context: %w", err)
	}
	defer release()
	if d.manifest.EngineOf(t.Phase) == core.EngineHTTP {
		session.ControlURL, session.ContextID, session.TargetID = "", "", ""
	}
	session.Base, session.Services = strings.TrimRight(base, "/"), services
	got, err := d.Run(ctx, t.Phase, task, session)
	r.Log = services.lines
	if site != nil {
		site.mu.Lock()
		defer site.mu.Unlock()
		for _, name := range site.unlisted {
			r.Failures = append(r.Failures, fmt.Sprintf("%s was asked for and is not listed in site", name))
		}
	}
	if err != nil {
		r.Failures = append(r.Failures, err.Error())
		var f *core.Fault
		if errors.As(err, &f) && f.Detail != "" {
			r.Log = append(r.Log, strings.Split(f.Detail, "\n")...)
		}
		return nil
	}
	r.Failures = append(r.Failures, compare(t.Want, got, services.commits, site, expand)...)
	if len(r.Failures) > 0 {
		r.Paste = paste(t.Want, got, services.commits, site, base, task)
	}
	return nil
}

// testDefaults are the fields of a test's task that it does not set.
var testDefaults = map[string]string{
	core.FieldUsername: "ada_l", core.FieldEmail: "ada@example.org", core.FieldPassword: "Correct-Horse-42",
	core.FieldFirstName: "Ada", core.FieldLastName: "Lovelace", core.FieldPhone: "+44 20 7946 0000",
	core.FieldAddress: "12 St James's Square", core.FieldLocation: "London", core.FieldBirthday: "1990-12-10",
	core.FieldAbout: "<p>I write <b>notes</b> on engines.</p>", core.FieldWebsite: "https://ada.example.org/",
	core.FieldAvatarURL: "https://ada.example.org/avatar.png", core.FieldCoverURL: "https://ada.example.org/cover.png",
}

// testTask makes the task as the runner would hand it over.
func (d *Driver) testTask(t Test) core.Task {
	m := d.manifest
	task := core.Task{ID: "test", Domain: "example.org", Kind: core.Onboard, Attempt: 1, Facts: core.Facts{}, Options: map[string]any{}}
	if len(m.Domains) > 0 {
		task.Domain = m.Domains[0]
	}
	if t.Phase == core.ConnectPhase {
		task.Kind = core.Connect
	}
	e := core.Entity{Fields: map[string]core.Value{}, Social: []string{"https://x.com/ada_l", "https://github.com/ada"}}
	for name, v := range testDefaults {
		e.Fields[name] = core.Text(v)
	}
	e.Avatars, e.Covers = []string{testDefaults[core.FieldAvatarURL]}, []string{testDefaults[core.FieldCoverURL]}
	for _, name := range slices.Sorted(maps.Keys(t.Task)) {
		v := t.Task[name]
		s, isText := v.(string)
		switch name {
		case "id":
			task.ID = s
		case "domain":
			task.Domain = s
		case "language":
			task.Language = s
		case "attempt":
			n, _ := v.(float64)
			task.Attempt = int(n)
		case "social":
			e.Social = stringList(v)
		case "connect":
			e.Connect = stringList(v)
		case "extra":
			e.Extra = map[string]json.RawMessage{}
			if m, ok := v.(map[string]any); ok {
				for k, x := range m {
					e.Extra[k], _ = json.Marshal(x)
				}
			}
		case FieldAvatar:
			e.Avatars = nil
			if isText {
				e.Avatars = []string{s}
			}
		case FieldCover:
			e.Covers = nil
			if isText {
				e.Covers = []string{s}
			}
		default:
			if isText {
				e.Fields[name] = core.Text(s)
			} else if n, ok := v.(float64); ok {
				e.Fields[name] = core.Text(strconv.FormatFloat(n, 'f', -1, 64))
			} else {
				delete(e.Fields, name) // false: the task lacks it
			}
		}
	}
	if p, ok := e.Fields[core.FieldPassword]; ok {
		e.Fields[core.FieldPassword] = core.Secret(p.Reveal())
	}
	if about := e.Get(core.FieldAbout); !about.Empty() {
		e.Fields[FieldAboutHTML] = about
		fitted, _ := text.Texts{}.Fit(about.Reveal(), m.Limits[core.FieldAbout])
		e.Fields[core.FieldAbout] = core.Text(fitted)
	}
	for k, v := range t.Facts {
		task.Facts[k] = core.Text(v)
	}
	for name, o := range m.Options {
		task.Options[name] = o.Default
	}
	maps.Copy(task.Options, t.Options)
	task.Entity = e
	return task
}

func stringList(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, e := range list {
		if s, ok := e.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// expandFor fills {base}, {domain} and {field}.
func expandFor(s, base string, task core.Task) string {
	if !strings.Contains(s, "{") {
		return s
	}
	pairs := []string{"{base}", base, "{domain}", task.Domain, "{totp}", testTOTP}
	for name, v := range task.Entity.Fields {
		pairs = append(pairs, "{"+name+"}", v.Reveal())
	}
	return strings.NewReplacer(pairs...).Replace(s)
}

// compare lists where got is not what was wanted.
func compare(w Want, got core.Outcome, commits int, site *testSite, expand func(string) string) []string {
	var out []string
	differ := func(what, have, want string) {
		if have != want {
			out = append(out, fmt.Sprintf("%s is %q, wanted %q", what, have, want))
		}
	}
	status := string(got.Status)
	if got.Reason != "" && got.Status != w.Status {
		status += " (" + string(got.Code) + "): " + got.Reason
	}
	differ("status", status, string(w.Status))
	differ("code", string(got.Code), string(w.Code))
	if w.Field != "" {
		differ("field", got.Field, w.Field)
	}
	if w.LinkProfile != "" {
		differ("link_profile", got.Facts[core.FactLinkProfile].Reveal(), expand(w.LinkProfile))
	}
	for _, k := range slices.Sorted(maps.Keys(w.Facts)) {
		differ("facts."+k, got.Facts[k].Reveal(), expand(w.Facts[k]))
	}
	for _, k := range slices.Sorted(maps.Keys(w.Fields)) {
		differ("fields."+k, got.Fields[k], w.Fields[k])
	}
	if w.Commits != nil {
		differ("commits", strconv.Itoa(commits), strconv.Itoa(*w.Commits))
	}
	for _, name := range slices.Sorted(maps.Keys(w.Sent)) {
		if site == nil {
			break
		}
		form, ok := site.sent[name]
		if !ok {
			out = append(out, name+" was never sent")
			continue
		}
		for _, k := range slices.Sorted(maps.Keys(w.Sent[name])) {
			if _, ok := form[k]; !ok {
				out = append(out, fmt.Sprintf("%s carried no %q; it carried %s", name, k, strings.Join(slices.Sorted(maps.Keys(form)), " ")))
				continue
			}
			differ(name+" "+k, strings.Join(form[k], ","), expand(w.Sent[name][k]))
		}
	}
	return out
}

// paste writes the want that got would have passed.
func paste(w Want, got core.Outcome, commits int, site *testSite, base string, task core.Task) string {
	fold := []string{}
	for _, name := range slices.Sorted(maps.Keys(task.Entity.Fields)) {
		if v := task.Entity.Fields[name].Reveal(); len(v) > 2 {
			fold = append(fold, v, "{"+name+"}")
		}
	}
	folded := strings.NewReplacer(append([]string{base, "{base}"}, fold...)...).Replace
	q := func(s string) string { return strconv.Quote(folded(s)) }
	parts := []string{"status = " + strconv.Quote(string(got.Status))}
	if got.Code != "" {
		parts = append(parts, "code = "+strconv.Quote(string(got.Code)))
	}
	if got.Field != "" {
		parts = append(parts, "field = "+strconv.Quote(got.Field))
	}
	table := func(m map[string]string, quote func(string) string) string {
		var list []string
		for _, k := range slices.Sorted(maps.Keys(m)) {
			list = append(list, fmt.Sprintf("[%q] = %s", k, quote(m[k])))
		}
		return "{ " + strings.Join(list, ", ") + " }"
	}
	facts := map[string]string{}
	for k, v := range got.Facts {
		if k == core.FactLinkProfile {
			parts = append(parts, "link_profile = "+q(v.Reveal()))
		} else {
			facts[k] = v.Reveal()
		}
	}
	if len(facts) > 0 {
		parts = append(parts, "facts = "+table(facts, q))
	}
	if len(got.Fields) > 0 {
		parts = append(parts, "fields = "+table(got.Fields, strconv.Quote))
	}
	if w.Commits != nil || commits > 0 {
		parts = append(parts, "commits = "+strconv.Itoa(commits))
	}
	if site != nil && len(w.Sent) > 0 {
		var list []string
		for _, name := range slices.Sorted(maps.Keys(w.Sent)) {
			form := map[string]string{}
			for k := range w.Sent[name] {
				form[k] = strings.Join(site.sent[name][k], ",")
			}
			list = append(list, fmt.Sprintf("[%q] = %s", name, table(form, q)))
		}
		parts = append(parts, "sent = { "+strings.Join(list, ", ")+" }")
	}
	return "want = { " + strings.Join(parts, ", ") + " }"
}
