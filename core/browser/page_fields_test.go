package browser

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

func entity(pairs ...string) core.Entity {
	e := core.Entity{Fields: map[string]core.Value{}}
	for i := 0; i < len(pairs); i += 2 {
		v := core.Text(pairs[i+1])
		if pairs[i] == "password" {
			v = core.Secret(pairs[i+1])
		}
		e.Fields[pairs[i]] = v
	}
	return e
}

func TestFields(t *testing.T) {
	p := opened(t, controlled+`<input id=u><input id=pw type=password><input id=fn value=Ann><input id=full><textarea id=ab maxlength=10></textarea>
		<select id=loc><option value="">-</option><option>Hà Nội</option></select><input id=web type=url><input id=bd type=date><input id=ph oninput="this.value=this.value.replace(/^(\d{3})(\d+)$/,'($1) $2')">
		<div id=rich contenteditable></div><select id=city><option>Huế</option></select><input id=ro readonly><script>controlled(fn)</script>`, func(_ *core.Session, o *AttachOptions) {
		o.Task.Entity = entity("username", "ann_1", "password", "s3cret-pass", "first_name", "Ann", "last_name", "Lý", "about", "hello wide world", "location", "hà nội",
			"website", "https://ann.example/", "birthday", "1999-12-31", "phone", "0123456789", "address", "1 Main Street")
		o.Manifest.Limits = map[string]core.Limit{"address": {Max: 6}}
	})
	fields := []Field{
		{Name: "username", At: Locator{"#u"}}, {Name: "password", At: Locator{"#pw"}}, {Name: "first_name", At: Locator{"#fn"}}, {Name: "full_name", At: Locator{"#full"}},
		{Name: "about", At: Locator{"#ab"}}, {Name: "location", At: Locator{"#loc"}}, {Name: "website", At: Locator{"#web"}}, {Name: "birthday", At: Locator{"#bd"}},
		{Name: "phone", At: Locator{"#ph"}}, {Name: "address", At: Locator{"#rich"}}, {Name: "email", At: Locator{"#not-needed"}},
		{Name: "last_name", At: Locator{"#missing"}, Optional: true}, {Name: "city", At: Locator{"#city"}, Want: []string{"Paris"}}, {Name: "ro", At: Locator{"#ro"}, Value: new(core.Value), Optional: true},
	}
	changed, err := p.Fields(t.Context(), fields)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"username": "set", "password": "set", "first_name": "kept", "full_name": "set", "about": "truncated(10)", "location": "set", "website": "set", "birthday": "set",
		"phone": "set", "address": "truncated(6)", "last_name": "unsupported", "city": "unsupported", "ro": "unsupported"}
	if got := p.Results(); !maps.Equal(got, want) || changed != 9 {
		t.Errorf("changed %d, results %v", changed, got)
	}
	if got := script(t, p, `[u.value,pw.value,full.value,ab.value,loc.value,web.value,bd.value,ph.value,rich.innerText].join('|')`); got != "ann_1|s3cret-pass|Ann Lý|hello wide|Hà Nội|https://ann.example/|1999-12-31|(012) 3456789|1 Main" {
		t.Errorf("got %q", got)
	}
	if changed, err = p.Fields(t.Context(), fields[2:5]); err != nil || changed != 0 {
		t.Errorf("again: %d, %v, %v", changed, err, p.Results())
	}
	ctx, cancel := deadline(t, 500*time.Millisecond)
	defer cancel()
	_, err = p.Fields(ctx, []Field{{Name: "username", At: Locator{"#nowhere"}}})
	faulty(t, err, core.LayoutChanged, "the field username (#nowhere)", "nothing matches")
}

func TestIdentityIsNeverCut(t *testing.T) {
	p := opened(t, `<input id=u maxlength=3>`, func(_ *core.Session, o *AttachOptions) { o.Task.Entity = entity("username", "ann_1") })
	_, err := p.Fields(t.Context(), []Field{{Name: "username", At: Locator{"#u"}}})
	faulty(t, err, core.LayoutChanged, "never cut")
}

func TestNotes(t *testing.T) {
	p := opened(t, `x`, nil)
	for _, bad := range []string{"", "fine", "refused", "refused:", "truncated(", "shown: yes"} {
		faulty(t, p.Note("website", bad), core.DriverError)
	}
	if err := p.Note("website", "refused: links need\nten posts"); err != nil || p.Results()["website"] != "refused: links need ten posts" {
		t.Error(err, p.Results())
	}
}

func TestSecretsGoOnlyWhereTheyBelong(t *testing.T) {
	s := newSites(t, map[string]string{
		"/": `<input id=pw type=password><input id=plain><input id=otp name=otp_code inputmode=numeric><input id=code name=code maxlength=6><input id=ac autocomplete="section-a one-time-code"><input id=postcode name=postcode maxlength=6>
			<textarea id=ta></textarea><form action="http://evil.test/"><input id=away type=password></form><iframe id=f src="http://other.test/in"></iframe>`,
		"other.test/in": `<input id=pw type=password>`,
	})
	p := newTab(t, s, func(_ *core.Session, o *AttachOptions) {
		o.Manifest.Permissions = []string{"secret_fields:#ta"}
		o.Redact = redactor{"hunter22"}
		o.Task.Entity = entity("password", "hunter22")
	})
	ctx := t.Context()
	must[Seen](t)(p.Open(ctx, "/", nil))
	secret := core.Secret("hunter22")
	for _, loc := range []string{"#pw", "#otp", "#ac", "#ta"} {
		if _, err := p.Fill(ctx, Locator{loc}, secret, nil); err != nil {
			t.Errorf("%s: %v", loc, err)
		}
	}
	if _, err := p.Type(ctx, Locator{"#code"}, core.Secret("123456"), nil); err != nil {
		t.Error(err)
	}
	for _, loc := range []string{"#plain", "#away", "#f >> #pw", "#postcode"} {
		_, err := p.Fill(ctx, Locator{loc}, secret, nil)
		faulty(t, err, core.DriverError, "a secret is not typed here")
		_, err = p.Type(ctx, Locator{loc}, secret, nil)
		faulty(t, err, core.DriverError, "a secret is not typed here")
	}
	_, err := p.Fields(ctx, []Field{{Name: "password", At: Locator{"#plain"}}})
	faulty(t, err, core.DriverError, "a secret is not typed here")
	if got := script(t, p, `pw.value+plain.value+away.value+code.value`); got != "hunter22123456" {
		t.Errorf("the page has %q", got)
	}
	for _, loc := range []string{"#pw", "#ta", "#code"} {
		_, err := p.Text(ctx, Locator{loc})
		faulty(t, err, core.DriverError, "never read")
		_, err = p.Attr(ctx, Locator{loc}, "value")
		faulty(t, err, core.DriverError, "never read")
	}
	script(t, p, `document.body.insertAdjacentHTML('beforeend','<p class=echo>your password is hunter22</p><a id=l href="/x?p=hunter22">x</a>');history.pushState(0,'','?token=abcdef&q=hunter22')`)
	if got := must[string](t)(p.Text(ctx, Locator{".echo"})); got != "your password is •••" {
		t.Errorf("text %q", got)
	}
	if got := must[string](t)(p.Attr(ctx, Locator{"#l"}, "href")); got != "http://site.test/x?p=•••" {
		t.Errorf("href %q", got)
	}
	if seen := must[Seen](t)(p.Await(ctx, *signs("echo", ".echo"))); strings.Contains(seen.Said, "hunter22") {
		t.Errorf("said %q", seen.Said)
	}
	short, cancel := deadline(t, 400*time.Millisecond)
	defer cancel()
	_, err = p.Click(short, Locator{"#nothing"}, nil)
	if f := faulty(t, err, core.LayoutChanged); strings.Contains(f.Error()+f.Detail, "hunter22") || strings.Contains(f.URL, "abcdef") {
		t.Errorf("the fault leaks: %v\n%s", f, f.Detail)
	}
}

func TestUpload(t *testing.T) {
	b := sharedBrowser(t)
	dir, err := os.MkdirTemp(b.Files(), "task-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "avatar.png")
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(path, []byte("picture"), 0o644)); err != nil {
		t.Fatal(err)
	}
	v := &services{asset: path}
	p := opened(t, `<input type=file id=h style="display:none"><button id=b onclick="document.querySelector('#h2').click()">Choose</button><input type=file id=h2 style="display:none"><p id=n></p>
		<script>for(const i of [h,h2])i.onchange=async()=>n.textContent+=i.id+':'+await i.files[0].text()+' '</script>`, func(s *core.Session, _ *AttachOptions) { s.Services = v })
	must[Seen](t)(p.Upload(t.Context(), Locator{"#h"}, "avatar", signs("ok", "text=h:picture*")))
	must[Seen](t)(p.Upload(t.Context(), Locator{"#b"}, "cover", signs("ok", "text=*h2:picture*")))
	if got := p.Results(); got["avatar"] != "set" || got["cover"] != "set" {
		t.Errorf("results %v", got)
	}
	v.asset = filepath.Join(dir, "absent.png")
	_, err = p.Upload(t.Context(), Locator{"#h"}, "avatar", nil)
	faulty(t, err, core.DriverError, "can't read")
	v.asset = ""
	if _, err := p.Upload(t.Context(), Locator{"#h"}, "avatar", nil); !errors.Is(err, core.ErrNoAsset) {
		t.Errorf("without an image: %v", err)
	}
	_, err = p.Upload(t.Context(), Locator{"#h"}, "/etc/passwd", nil)
	faulty(t, err, core.DriverError, "avatar or cover")
}

func TestCommit(t *testing.T) {
	s := newSites(t, map[string]string{"/": `<p class=ok>old</p><form method=post action=/made><button>Join</button></form>`})
	v := &services{}
	s.handle("/made", func(w http.ResponseWriter, r *http.Request) { html(`<p class=ok>welcome</p>`)(w, r) })
	p := newTab(t, s, func(c *core.Session, o *AttachOptions) { c.Services, o.Phase = v, core.Register })
	ctx := t.Context()
	must[Seen](t)(p.Open(ctx, "/", nil))
	short, cancel := deadline(t, 400*time.Millisecond)
	defer cancel()
	_, err := p.CommitClick(short, Locator{"#none"}, *signs("ok", ".ok"))
	faulty(t, err, core.LayoutChanged, "nothing matches")
	if len(v.said()) != 0 {
		t.Errorf("an intent without a possible submit: %v", v.said())
	}
	if seen := must[Seen](t)(p.CommitClick(ctx, Locator{"role=button[name=Join]"}, *signs("ok", ".ok"))); seen.Said != "welcome" {
		t.Errorf("%+v", seen)
	}
	if got := strings.Join(v.said(), ","); got != "commit submit,committed submit" || s.count("POST site.test/made") != 1 {
		t.Errorf("%s, %d posts", got, s.count("POST site.test/made"))
	}
	if _, err := p.Commit(ctx, "again", func(context.Context) error { return nil }, *signs("ok", ".ok")); !errors.Is(err, core.ErrCommitted) {
		t.Errorf("a second commit: %v", err)
	}

	q := newTab(t, s, func(c *core.Session, o *AttachOptions) {
		o.Phase = core.Register
		c.Services = &services{commit: core.ErrNoCommit}
	})
	must[Seen](t)(q.Open(ctx, "/", nil))
	ran := false
	if _, err := q.Commit(ctx, "", func(context.Context) error { ran = true; return nil }, *signs("ok", ".ok")); !errors.Is(err, core.ErrNoCommit) || ran {
		t.Errorf("a refused intent: %v, ran %v", err, ran)
	}
	r := newTab(t, s, nil)
	if _, err := r.Commit(ctx, "", func(context.Context) error { return nil }, *signs("ok", ".ok")); !errors.Is(err, core.ErrNoCommit) {
		t.Errorf("outside of register: %v", err)
	}
}

func TestPeople(t *testing.T) {
	v := &services{}
	p := opened(t, `<p id=ok hidden>in</p><label><input type=checkbox id=c> I accept the <a href="/terms">terms</a></label>`, func(s *core.Session, _ *AttachOptions) { s.Services = v })
	ctx := t.Context()
	if _, err := p.Human(ctx, core.Captcha, "solve it", signs("in", "#ok")); !errors.Is(err, core.ErrAway) {
		t.Errorf("nobody there: %v", err)
	}
	cancelled := make(chan struct{})
	v.human = func(ctx context.Context, a core.Ask) (core.Answer, error) {
		script(t, p, `ok.hidden=false`)
		<-ctx.Done()
		close(cancelled)
		return core.Answer{}, ctx.Err()
	}
	if seen := must[Seen](t)(p.Human(ctx, core.Captcha, "solve it", signs("in", "#ok"))); seen.Label != "in" {
		t.Errorf("%+v", seen)
	}
	<-cancelled
	v.human = func(context.Context, core.Ask) (core.Answer, error) {
		script(t, p, `ok.textContent='again'`)
		return core.Answer{}, nil
	}
	if seen := must[Seen](t)(p.Human(ctx, core.Captcha, "solve it", signs("in", "#ok"))); seen.Said != "again" {
		t.Errorf("%+v", seen)
	}
	v.human = func(context.Context, core.Ask) (core.Answer, error) { return core.Answer{Text: core.Text("4711")}, nil }
	if got, err := p.Ask(ctx, core.OTPSMS, "the code"); err != nil || !got.IsSecret() || got.Reveal() != "4711" {
		t.Error(got, err)
	}
	must[Seen](t)(p.Agree(ctx, Locator{"label=I accept*"}, nil))
	log := v.said()
	if last := log[len(log)-1]; !strings.HasPrefix(last, "human agree terms http://site.test/terms ") || len(strings.Fields(last)) != 5 {
		t.Errorf("asked %q", last)
	}
	if got := script(t, p, "c.checked"); got != "true" {
		t.Error("not checked")
	}
}
