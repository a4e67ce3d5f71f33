package proto

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"
	"unicode/utf8"

	gproto "google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/rollcall-run/rollcall/core"
)

// fill sets everything below v, so that a field which a conversion forgets is
// seen. Fields named in skip stay zero. A kind that it does not know fails the
// test: the filler must learn what core learns.
func fill(t *rapid.T, v reflect.Value, path string, skip ...string) {
	switch v.Interface().(type) {
	case core.Value:
		text := string(rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(t, path))
		if rapid.Bool().Draw(t, path+" secret") {
			v.Set(reflect.ValueOf(core.Secret(text)))
		} else {
			v.Set(reflect.ValueOf(core.Text(text)))
		}
		return
	case json.RawMessage:
		v.SetBytes(rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(t, path))
		return
	case time.Duration:
		v.SetInt(rapid.Int64Min(1).Draw(t, path))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(rapid.StringN(1, 20, -1).Filter(utf8.ValidString).Draw(t, path))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(rapid.Int64Min(1).Draw(t, path))
	case reflect.Interface: // an option: string, bool or float64
		v.Set(reflect.ValueOf(rapid.OneOf(
			rapid.String().Filter(utf8.ValidString).AsAny(), rapid.Bool().AsAny(), rapid.Float64().AsAny()).Draw(t, path)))
	case reflect.Slice:
		s := reflect.MakeSlice(v.Type(), rapid.IntRange(1, 3).Draw(t, path), 3)
		for i := range s.Len() {
			fill(t, s.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
		v.Set(s.Slice3(0, s.Len(), s.Len()))
	case reflect.Map:
		m := reflect.MakeMap(v.Type())
		for i := range rapid.IntRange(1, 3).Draw(t, path) {
			key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(t, key, fmt.Sprintf("%s key %d", path, i))
			fill(t, elem, fmt.Sprintf("%s value %d", path, i))
			m.SetMapIndex(key, elem)
		}
		v.Set(m)
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !slices.Contains(skip, f.Name) {
				fill(t, v.Field(i), path+"."+f.Name)
			}
		}
	default:
		t.Fatalf("%s is a %s, which the test can't fill", path, v.Type())
	}
}

// across marshals in and unmarshals it into out.
func across[M gproto.Message](t *rapid.T, in, out M) M {
	b, err := gproto.Marshal(in)
	if err != nil {
		t.Fatalf("marshalling: %v", err)
	}
	if err := gproto.Unmarshal(b, out); err != nil {
		t.Fatalf("unmarshalling: %v", err)
	}
	return out
}

func same[T any](t *rapid.T, got, want T) {
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("lost on the way:\n%#v\n%#v", want, got)
	}
}

// TestEveryFieldCrosses: no field of a type of core is lost on the way there and
// back, whatever its content.
func TestEveryFieldCrosses(t *testing.T) {
	must := func(t *rapid.T, err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Run("Task", rapid.MakeCheck(func(t *rapid.T) {
		var in core.Task
		fill(t, reflect.ValueOf(&in).Elem(), "Task")
		p, err := FromTask(in)
		must(t, err)
		same(t, across(t, p, &Task{}).Core(), in)
	}))
	t.Run("Session", rapid.MakeCheck(func(t *rapid.T) {
		var in core.Session
		fill(t, reflect.ValueOf(&in).Elem(), "Session", "Services")
		same(t, across(t, FromSession(in), &Session{}).Core(nil), in)
	}))
	t.Run("Outcome", rapid.MakeCheck(func(t *rapid.T) {
		var in core.Outcome
		fill(t, reflect.ValueOf(&in).Elem(), "Outcome")
		same(t, across(t, FromOutcome(in), &Outcome{}).Core(), in)
	}))
	t.Run("Manifest", rapid.MakeCheck(func(t *rapid.T) {
		var in core.Manifest
		fill(t, reflect.ValueOf(&in).Elem(), "Manifest")
		p, err := FromManifest(in)
		must(t, err)
		same(t, across(t, p, &Manifest{}).Core(), in)
	}))
	t.Run("MailQuery", rapid.MakeCheck(func(t *rapid.T) {
		var in core.MailQuery
		fill(t, reflect.ValueOf(&in).Elem(), "MailQuery")
		same(t, across(t, FromMailQuery(in), &MailQuery{}).Core(), in)
	}))
	t.Run("MailMessage", rapid.MakeCheck(func(t *rapid.T) {
		var in core.MailMessage
		fill(t, reflect.ValueOf(&in).Elem(), "MailMessage")
		same(t, across(t, FromMailMessage(in), &MailMessage{}).Core(), in)
	}))
	t.Run("Fit", rapid.MakeCheck(func(t *rapid.T) {
		var in core.Fit
		fill(t, reflect.ValueOf(&in).Elem(), "Fit")
		same(t, across(t, FromFit(in), &Fit{}).Core(), in)
	}))
	t.Run("Ask", rapid.MakeCheck(func(t *rapid.T) {
		var in core.Ask
		fill(t, reflect.ValueOf(&in).Elem(), "Ask")
		same(t, across(t, FromAsk(in), &Ask{}).Core(), in)
	}))
	t.Run("Answer", rapid.MakeCheck(func(t *rapid.T) {
		var in core.Answer
		fill(t, reflect.ValueOf(&in).Elem(), "Answer")
		same(t, across(t, FromAnswer(in), &Answer{}).Core(), in)
	}))
	t.Run("Fault", rapid.MakeCheck(func(t *rapid.T) {
		var in core.Fault
		fill(t, reflect.ValueOf(&in).Elem(), "Fault")
		got, ok := FromStatus(ToStatus(&in)).(*core.Fault)
		if !ok {
			t.Fatal("the fault is no *core.Fault any more")
		}
		same(t, *got, in)
	}))
}

// TestZeroCrosses: zero values stay zero, so absent stays absent.
func TestZeroCrosses(t *testing.T) {
	task, err := FromTask(core.Task{})
	if err != nil {
		t.Fatal(err)
	}
	if got := task.Core(); !reflect.DeepEqual(got, core.Task{}) {
		t.Errorf("Task: %#v", got)
	}
	if got := (*Outcome)(nil).Core(); !reflect.DeepEqual(got, core.Outcome{}) {
		t.Errorf("Outcome: %#v", got)
	}
	if got := (*Manifest)(nil).Core(); !reflect.DeepEqual(got, core.Manifest{}) {
		t.Errorf("Manifest: %#v", got)
	}
}

// TestOptionOfAnotherType names the option.
func TestOptionOfAnotherType(t *testing.T) {
	_, err := FromTask(core.Task{ID: "7", Options: map[string]any{"depth": 3}})
	if want := `task 7: option "depth" is a int; options are strings, bools or float64s`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	_, err = FromManifest(core.Manifest{Name: "x", Options: map[string]core.Option{"list": {Default: []string{"a"}}}})
	if want := `driver x: option "list" is a []string; options are strings, bools or float64s`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestInvalidText: site text that is no UTF-8 does not stop an outcome.
func TestInvalidText(t *testing.T) {
	o := FromOutcome(core.Outcome{Status: core.Rejected, Reason: "caf\xe9", Facts: core.Facts{"n\xff": core.Secret("p\xe9")}})
	b, err := gproto.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var back Outcome
	if err := gproto.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	got := back.Core()
	if got.Reason != "caf\uFFFD" || got.Facts["n\uFFFD"].Reveal() != "p\xe9" {
		t.Errorf("got %q and %q", got.Reason, got.Facts["n\uFFFD"].Reveal())
	}
}
