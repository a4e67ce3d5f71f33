package entity

import (
	"strings"
	"testing"

	"github.com/rollcall-run/rollcall/core"
)

func TestATaskIsReadWithoutAServer(t *testing.T) {
	got, warnings, err := Decode([]byte(`{"id":"1","domain":"Board.Example","email":"a@example.org","password":"s3cret","avatar_url":"https://img.example/a.png"}`), core.StateNames{})
	if err != nil {
		t.Fatal(err)
	}
	e := got.Task.Entity
	if got.Task.Domain != "board.example" || got.Task.Kind != core.Onboard || !e.Get(core.FieldPassword).IsSecret() || len(e.Avatars) != 1 {
		t.Errorf("read %+v", got.Task)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "status is absent") {
		t.Errorf("warnings are %q", warnings)
	}
}

func TestATaskThatCantBeReadSaysWhy(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "not JSON",
		`[]`:                         "",
		`{"id":"1"}`:                 "domain: it is missing",
		`{"domain":"a.example"}`:     "id: it is missing",
		`{"id":"1","domain":"a b"}`:  "not a host name",
		`{"id":"1","domain":["a"]}`:  "domain",
		`{"id":"1","domain":"x"} {}`: "not JSON",
	} {
		if _, _, err := Decode([]byte(text), core.StateNames{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
