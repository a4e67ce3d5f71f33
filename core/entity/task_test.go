package entity

import (
	"fmt"
	"io"
	"log"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rollcall-run/rollcall/core"
)

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// documented is the example of the operator's page, as it stands there.
const documented = `{"id":"a1b2c3d4-5678-90ab-cdef-1234567890ab","request_id":"f0e1d2c3-b4a5-6789-0abc-def123456789",
"domain":"example-social.com","website":"https://likepion.com","email":"socuser@gmail.com","username":"socuser01",
"pass_mail":"xxxx xxxx xxxx xxxx","twofa":"JBSWY3DPEHPK3PXP","app_password":"yyyy xxxx xxxx xxxx","password":"Abc123!@xyzQ",
"first_name":"Minh","last_name":"Ngoc","phone":"0987654321","address":"123 ABC","location":"HCM",
"about":"<p>Bio HTML with {spin|syntax}</p>","avatar_url":"https://s3.likepion.com/avatars/abc.jpg","cover_url":"https://s3.likepion.com/covers/xyz.jpg",
"social_connect":["https://twitter.com/seouser01","https://facebook.com/seouser01"]}`

func decodeOne(t *testing.T, raw string) decoded {
	t.Helper()
	return client(t, "https://m.test").decode([]byte(raw))
}

func TestDocumentedExampleIsRead(t *testing.T) {
	d := decodeOne(t, documented)
	if d.err != nil {
		t.Fatal(d.err)
	}
	task := d.listed.Task
	if task.ID != "a1b2c3d4-5678-90ab-cdef-1234567890ab" || task.RequestID == "" || task.Domain != "example-social.com" || task.Kind != core.Onboard || d.listed.Status != "" {
		t.Errorf("%+v", task)
	}
	if len(d.warnings) != 1 || !strings.Contains(d.warnings[0], "status is absent") {
		t.Errorf("warnings: %v", d.warnings)
	}
	for name, want := range map[string]string{"password": "Abc123!@xyzQ", "pass_mail": "xxxx xxxx xxxx xxxx", "twofa": "JBSWY3DPEHPK3PXP", "about": "<p>Bio HTML with {spin|syntax}</p>", "phone": "0987654321"} {
		if got := task.Entity.Get(name).Reveal(); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	for name, v := range task.Entity.Fields {
		want := name == "password" || name == "pass_mail" || name == "twofa" || name == "app_password"
		if v.IsSecret() != want {
			t.Errorf("%s is secret: %v", name, v.IsSecret())
		}
	}
	if printed := fmt.Sprintf("%+v", d.listed); strings.Contains(printed, "Abc123") || strings.Contains(printed, "JBSWY3") {
		t.Errorf("a secret is printed: %s", printed)
	}
	if e := task.Entity; !reflect.DeepEqual(e.Avatars, []string{"https://s3.likepion.com/avatars/abc.jpg"}) || len(e.Covers) != 1 || len(e.Social) != 2 || e.Extra != nil {
		t.Errorf("%+v", e)
	}
}

// item is a task with more members.
func item(more string) string { return `{"id":"1","domain":"x.test","status":"register"` + more + `}` }

func TestHostileItemsAreRefusedByField(t *testing.T) {
	for name, c := range map[string]struct{ raw, want string }{
		"field twice":           {item(`,"password":"a","password":"b"`), `"password" comes twice`},
		"twice by an escape":    {item(`,"password":"a","pass\u0077ord":"b"`), `"password" comes twice`},
		"bad bytes in a secret": {item(`,"password":"a` + "\xff" + `b"`), "password: it is not valid UTF-8"},
		"half a pair":           {item(`,"password":"a\ud800b"`), "password: it is not valid UTF-8"},
		"wrong half first":      {item(`,"password":"\udc00\ud800"`), "password: it is not valid UTF-8"},
		"half at the end":       {item(`,"password":"x\ud83d"`), "password: it is not valid UTF-8"},
		"bad bytes in a name":   {item(`,"pass` + "\xff" + `":"b"`), "is not valid UTF-8"},
		"bad bytes in extra":    {item(`,"custom":{"a":"` + "\xc3" + `"}`), "custom: it is not valid UTF-8"},
		"bad bytes in images":   {item(`,"images":["` + "\xc3" + `"]`), "images: it is not valid UTF-8"},
		"bad bytes in links":    {item(`,"social_connect":["` + "\xc3" + `"]`), "social_connect: element 1: it is not valid UTF-8"},
		"object for a text":     {item(`,"phone":{}`), "phone: wanted a text, got an object"},
		"truth for a text":      {item(`,"email":true`), "email: wanted a text, got true or false"},
		"text for an array":     {item(`,"social_connect":"https://x.test"`), "social_connect: wanted an array, got a text"},
		"object in an array":    {item(`,"entity_connect":["https://a.test",{}]`), "entity_connect: element 2: wanted a text, got an object"},
		"status as an array":    {`{"id":"1","domain":"x.test","status":[]}`, "status: wanted a text"},
		"no id":                 {`{"domain":"x.test"}`, "id: it is missing"},
		"empty id":              {`{"id":"","domain":"x.test"}`, "id: it is empty"},
		"long id":               {`{"id":"` + strings.Repeat("x", 201) + `","domain":"x.test"}`, "id: it is longer than 200 bytes"},
		"id with a line end":    {`{"id":"a\nb","domain":"x.test"}`, "id: "},
		"no domain":             {`{"id":"1"}`, "domain: it is missing"},
		"null domain":           {`{"id":"1","domain":null}`, "domain: it is missing"},
		"domain is a URL":       {`{"id":"1","domain":"https://x.test/a"}`, `domain: "https://x.test/a" is not a host name`},
		"domain with a port":    {`{"id":"1","domain":"x.test:80"}`, "domain: "},
		"domain with a space":   {`{"id":"1","domain":"x test"}`, "domain: "},
		"domain is a path":      {`{"id":"1","domain":"../../etc"}`, "domain: "},
		"domain too long":       {`{"id":"1","domain":"` + strings.Repeat("a.", 130) + `test"}`, "domain: "},
		"an array":              {`[]`, "wanted an object, got an array"},
		"a text":                {`"x"`, "wanted an object, got a text"},
		"null":                  {`null`, "wanted an object, got null"},
		"trailing text":         {item("") + "x", "after the JSON value"},
		"cut":                   {`{"id":"1","domain":"x.test","password":"a`, "breaks off"},
	} {
		d := decodeOne(t, c.raw)
		if d.err == nil || !strings.Contains(d.err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, d.err, c.want)
		}
	}
}

func TestOtherCaseIsAnUnknownField(t *testing.T) {
	d := decodeOne(t, item(`,"password":"right-one","PASSWORD":"wrong-one","Domain":"evil.test","zeta":[1,{"a":null}],"note":null`))
	if d.err != nil {
		t.Fatal(d.err)
	}
	task := d.listed.Task
	if got := task.Entity.Get("password").Reveal(); got != "right-one" || task.Domain != "x.test" {
		t.Errorf("password %q, domain %q", got, task.Domain)
	}
	if x := task.Entity.Extra; string(x["PASSWORD"]) != `"wrong-one"` || string(x["zeta"]) != `[1,{"a":null}]` || len(x) != 3 {
		t.Errorf("extra: %s", x)
	}
}

func TestOrdinaryVariantsAreRead(t *testing.T) {
	d := decodeOne(t, `{"id":12345678901234567890,"domain":" Bücher.Example ","status":"connect","phone":987654321,"password":1e5,
		"address":null,"email":"","social_connect":"","entity_connect":["https://a.test"," ",null,"https://b.test"],"first_name":"\ud83d\ude00\\ud800"}`)
	if d.err != nil {
		t.Fatal(d.err)
	}
	task, e := d.listed.Task, d.listed.Task.Entity
	if task.ID != "12345678901234567890" || task.Domain != "xn--bcher-kva.example" || task.Kind != core.Connect || len(d.warnings) != 0 {
		t.Errorf("%+v %v", task, d.warnings)
	}
	if e.Get("phone").Reveal() != "987654321" || e.Get("password").Reveal() != "1e5" || e.Get("first_name").Reveal() != "😀\\ud800" {
		t.Errorf("phone %q password %q name %q", e.Get("phone").Reveal(), e.Get("password").Reveal(), e.Get("first_name").Reveal())
	}
	if _, there := e.Fields["address"]; there || len(e.Social) != 0 || !reflect.DeepEqual(e.Links(), []string{"https://a.test", "https://b.test"}) {
		t.Errorf("%+v", e)
	}
	if _, there := e.Fields["email"]; there {
		t.Error("an empty e-mail is there")
	}
	for status, want := range map[string]core.Kind{"registering": core.Onboard, "connecting": core.Connect, "connect_failed": core.Connect, "profiled": core.Onboard} {
		if d := decodeOne(t, `{"id":"1","domain":"x.test","status":"`+status+`"}`); d.listed.Task.Kind != want || len(d.warnings) != 0 || d.listed.Status != status {
			t.Errorf("%s: %+v", status, d)
		}
	}
	if d := decodeOne(t, `{"id":"1","domain":"x.test","status":"odd"}`); len(d.warnings) != 1 || !strings.Contains(d.warnings[0], `"odd"`) {
		t.Errorf("odd status: %v", d.warnings)
	}
}

func TestImagesAreReadInEveryShape(t *testing.T) {
	for raw, want := range map[string]struct {
		avatars, covers []string
		strange         bool
	}{
		`["a","b","a"]`: {[]string{"a", "b"}, nil, false},
		`[{"type":"avatar","url":"a"},{"type":"Cover","url":"c"}]`:           {[]string{"a"}, []string{"c"}, false},
		`[{"type":"avatar","urls":["a","b"]},{"type":"cover","urls":["c"]}]`: {[]string{"a", "b"}, []string{"c"}, false},
		`[{"avatar":["a"],"cover":["c","d"]}]`:                               {[]string{"a"}, []string{"c", "d"}, false},
		`{"avatar":["a"],"cover":"c"}`:                                       {[]string{"a"}, []string{"c"}, false},
		`[{"avatar":["a"]},{"cover":["c"]},"b"]`:                             {[]string{"a", "b"}, []string{"c"}, false},
		`[]`:                                                                 {nil, nil, false},
		`""`:                                                                 {nil, nil, false},
		`[null,{"url":null,"type":"avatar"}]`:                                {nil, nil, false},
		`"a"`:                                                                {nil, nil, true},
		`7`:                                                                  {nil, nil, true},
		`[7,"a"]`:                                                            {[]string{"a"}, nil, true},
		`[["a"]]`:                                                            {nil, nil, true},
		`[{"type":"banner","url":"x"},{"type":"avatar","url":"a"}]`: {[]string{"a"}, nil, true},
		`[{"src":"x"}]`:                                {nil, nil, true},
		`[{"type":"avatar","url":{"href":"x"}}]`:       {nil, nil, true},
		`[{"type":"avatar","type":"cover","url":"x"}]`: {nil, nil, true},
	} {
		d := decodeOne(t, item(`,"images":`+raw))
		if d.err != nil {
			t.Errorf("%s: the task is lost: %v", raw, d.err)
			continue
		}
		e := d.listed.Task.Entity
		if !reflect.DeepEqual(e.Avatars, want.avatars) || !reflect.DeepEqual(e.Covers, want.covers) || (len(d.warnings) == 1) != want.strange || string(e.Images) != raw {
			t.Errorf("%s: %v %v %v %s", raw, e.Avatars, e.Covers, d.warnings, e.Images)
		}
	}
	d := decodeOne(t, item(`,"avatar_url":"first","images":["b","first"]`))
	if got := d.listed.Task.Entity.Avatars; !reflect.DeepEqual(got, []string{"first", "b"}) {
		t.Errorf("avatar_url does not come first: %v", got)
	}
}

func TestOneBadItemCostsNoOther(t *testing.T) {
	list := `{"success":true,"data":[` + strings.Join([]string{
		item(""), `{"id":"bad","domain":"x.test","password":"` + "\xff" + `"}`, `{"id":"2","domain":"x.test"}`, `{"id":"3","domain":"x.test"}`,
		`7`, item(""), `{"id":"4","domain":"not a host"}`,
	}, ",") + `]}`
	l, err := client(t, server(t, reply(200, list)).URL).List(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Tasks) != 3 || len(l.Unread) != 3 {
		t.Fatalf("%d tasks, unread %+v", len(l.Tasks), l.Unread)
	}
	if u := l.Unread[0]; u.Index != 1 || u.ID != "bad" || !strings.Contains(u.Why, "password") {
		t.Errorf("%+v", u)
	}
	if u := l.Unread[1]; u.Index != 4 || u.ID != "" {
		t.Errorf("%+v", u)
	}
	if len(l.Warnings) != 2 || l.Warnings[0] != "status is absent and taken as register (task 2 and 1 more)" || !strings.Contains(l.Warnings[1], "twice") {
		t.Errorf("%q", l.Warnings)
	}
	l, err = client(t, server(t, reply(200, list)).URL).List(t.Context(), 2)
	if err != nil || len(l.Tasks) != 1 || len(l.Unread) != 1 || !strings.Contains(strings.Join(l.Warnings, "\n"), "the list has 7 tasks, 2 were asked for") {
		t.Errorf("more than asked: %+v, %v", l, err)
	}
}

func TestListOfTooManyCostsNoMoreThanWasAskedFor(t *testing.T) {
	body := `{"success":true,"data":[7` + strings.Repeat(",7", 200_000) + `]}`
	l, err := client(t, server(t, reply(200, body)).URL).List(t.Context(), 1000)
	if err != nil || len(l.Unread) != 1000 || len(l.Warnings) != 1 {
		t.Errorf("%d unread, %v, %v", len(l.Unread), l.Warnings, err)
	}
}

func BenchmarkDecode(b *testing.B) {
	c, err := New(Options{BaseURL: "https://m.test", Key: core.Secret(apiKey)})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(documented)))
	for b.Loop() {
		if d := c.decode([]byte(documented)); d.err != nil {
			b.Fatal(d.err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(documented))
	f.Add([]byte(item(`,"images":[{"type":"avatar","urls":["a"]}],"password":"\ud83d\ude00"`)))
	f.Add([]byte(item(`,"password":"a","PASSWORD":"b","x":{"y":[1e5,null]}`)))
	f.Add([]byte(`{"id":1,"domain":"bücher.example","social_connect":[1,null,"x"],"entity_connect":""}`))
	f.Add([]byte("{\"id\":\"\xff\",\"domain\":\"\\ud800\"}"))
	c, err := New(Options{BaseURL: "https://m.test", Key: core.Secret(apiKey)})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		d := c.decode(raw)
		if d.err != nil {
			if strings.ContainsAny(d.err.Error(), "\n\x1b") || !utf8.ValidString(d.err.Error()) {
				t.Errorf("the error is not one clean line: %q", d.err)
			}
			return
		}
		task := d.listed.Task
		if checkID(task.ID) != nil {
			t.Errorf("id %q", task.ID)
		}
		if again, err := domain(task.Domain); err != nil || again != task.Domain || strings.ToLower(task.Domain) != task.Domain {
			t.Errorf("domain %q: %q, %v", task.Domain, again, err)
		}
		for name, v := range task.Entity.Fields {
			if !utf8.ValidString(v.Reveal()) || v.Empty() {
				t.Errorf("%s is %q", name, v.Reveal())
			}
		}
		if twice := c.decode(raw); !reflect.DeepEqual(d, twice) {
			t.Error("decoding is not repeatable")
		}
	})
}
