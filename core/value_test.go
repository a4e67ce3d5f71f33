package core_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/rollcall-run/rollcall/core"
)

// TestSecretNeverPrints prints a secret in every way a program does by accident.
func TestSecretNeverPrints(t *testing.T) {
	const text = "hunter2-hunter2"
	v := core.Secret(text)
	holder := struct {
		Name string
		V    core.Value
		P    *core.Value
		M    map[string]core.Value
	}{"x", v, &v, map[string]core.Value{"password": v}}
	var logged bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&logged, nil), slog.NewJSONHandler(&logged, nil)} {
		slog.New(h).Info("m", "v", v, "p", &v, "holder", holder, "facts", core.Facts{"password": v})
	}
	js, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	prints := []string{logged.String(), string(js), errors.New("x: " + v.String()).Error(), fmt.Errorf("x: %v", v).Error()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T %v"} {
		prints = append(prints, fmt.Sprintf(verb, v), fmt.Sprintf(verb, &v), fmt.Sprintf(verb, holder), fmt.Sprintf(verb, core.Facts{"p": v}))
	}
	for _, p := range prints {
		for _, leak := range []string{text, fmt.Sprintf("%x", text), "104 117 110"} {
			if strings.Contains(p, leak) {
				t.Errorf("the secret shows: %s", p)
			}
		}
	}
	if v.Reveal() != text {
		t.Errorf("Reveal() = %q", v.Reveal())
	}
	if got := fmt.Sprint(v); got != "•••" {
		t.Errorf("a secret prints as %q", got)
	}
}

func TestPublicValuePrintsItself(t *testing.T) {
	v := core.Text("Minh")
	if got := fmt.Sprintf("%v %s %q", v, v, v); got != `Minh Minh "Minh"` {
		t.Errorf("got %s", got)
	}
	js, err := json.Marshal(v)
	if err != nil || string(js) != `"Minh"` {
		t.Errorf("JSON %s, %v", js, err)
	}
}

// TestValueIsNotDecoded: a masked value that came back as a text would be a wrong password.
func TestValueIsNotDecoded(t *testing.T) {
	var v core.Value
	if err := json.Unmarshal([]byte(`"•••"`), &v); err == nil {
		t.Error("a Value was read from JSON")
	}
}

func TestOutcomeCheck(t *testing.T) {
	for _, c := range []struct {
		name  string
		phase core.Phase
		o     core.Outcome
		ok    bool
	}{
		{"done", core.Register, core.Outcome{Status: core.Done}, true},
		{"done with a code", core.Register, core.Outcome{Status: core.Done, Code: core.Captcha}, false},
		{"waiting pending", core.Confirm, core.Outcome{Status: core.Waiting, Code: core.Pending}, true},
		{"waiting without a code", core.Confirm, core.Outcome{Status: core.Waiting}, false},
		{"rejected with a code of blocked", core.Register, core.Outcome{Status: core.Rejected, Code: core.Captcha}, false},
		{"absent in verify", core.Verify, core.Outcome{Status: core.Absent}, true},
		{"absent in login", core.Login, core.Outcome{Status: core.Absent}, false},
		{"an invented status", core.Login, core.Outcome{Status: "fine"}, false},
		{"no status", core.Login, core.Outcome{}, false},
	} {
		if err := c.o.Check(c.phase); (err == nil) != c.ok {
			t.Errorf("%s: Check = %v", c.name, err)
		}
	}
	long := core.Outcome{Status: core.Waiting, Code: core.RateLimited, After: 1}
	if err := long.Check(core.Register); err != nil || long.After != core.MinAfter {
		t.Errorf("After = %v, %v", long.After, err)
	}
}
