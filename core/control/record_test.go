package control

import (
	"encoding/json"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// TestRecordsCrossWhole fills every field of a record, so that a field that is
// new in core and is not carried fails.
func TestRecordsCrossWhole(t *testing.T) {
	var rec core.Record
	n := 0
	fill(reflect.ValueOf(&rec).Elem(), &n)
	rec.Entity.Extra, rec.Delivery = nil, nil // stay behind on purpose
	data, err := json.Marshal(recordOf(rec))
	if err != nil {
		t.Fatal(err)
	}
	var doc recordDoc
	if err := decode(data, &doc); err != nil {
		t.Fatal(err)
	}
	if got := doc.record(); !reflect.DeepEqual(got, rec) {
		t.Errorf("crossed:\n%+v\nsent:\n%+v", got, rec)
	}
	var account core.Account
	fill(reflect.ValueOf(&account).Elem(), &n)
	for name, cross := range map[string]func(core.Value) valueDoc{"masked": masked, "revealed": revealed} {
		if got := accountOf(account, cross).account(); !reflect.DeepEqual(got, account) {
			t.Errorf("%s account crossed as %+v, sent %+v", name, got, account)
		}
	}
}

// TestPlainTypesHoldNoValue: what crosses as core's own type must have nothing to mask.
func TestPlainTypesHoldNoValue(t *testing.T) {
	for _, plain := range []reflect.Type{reflect.TypeFor[core.Event](), reflect.TypeFor[core.SiteStatus](), reflect.TypeFor[core.AskRow](),
		reflect.TypeFor[core.SiteCount](), reflect.TypeFor[core.TaskFilter](), reflect.TypeFor[core.Lease](), reflect.TypeFor[core.MailMark]()} {
		if at := holds(plain, reflect.TypeFor[core.Value](), plain.Name()); at != "" {
			t.Errorf("%s is a core.Value and crosses unmasked", at)
		}
		x := reflect.New(plain)
		n := 0
		fill(x.Elem(), &n)
		data, err := json.Marshal(x.Interface())
		if err != nil {
			t.Fatal(err)
		}
		back := reflect.New(plain)
		if err := decode(data, back.Interface()); err != nil || !reflect.DeepEqual(back.Interface(), x.Interface()) {
			t.Errorf("%s crosses as %+v, sent %+v, %v", plain.Name(), back.Interface(), x.Interface(), err)
		}
	}
}

func holds(t, what reflect.Type, at string) string {
	if t == what {
		return at
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return holds(t.Elem(), what, at+"[]")
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return ""
		}
		for f := range t.Fields() {
			if found := holds(f.Type, what, at+"."+f.Name); found != "" {
				return found
			}
		}
	}
	return ""
}

// fill gives every field a value of its own. Secrets get the text that a masked
// one has on the other side.
func fill(v reflect.Value, n *int) {
	*n++
	text := "text " + strconv.Itoa(*n)
	switch v.Interface().(type) {
	case core.Value:
		if *n%2 == 0 {
			v.Set(reflect.ValueOf(core.Text(text)))
		} else {
			v.Set(reflect.ValueOf(core.Secret(veiled)))
		}
		return
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(int64(1_800_000_000+*n), 0).UTC()))
		return
	case json.RawMessage:
		v.SetBytes([]byte(`[{"n":` + strconv.Itoa(*n) + `}]`))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint32:
		v.SetUint(uint64(*n))
	case reflect.Interface:
		v.Set(reflect.ValueOf(float64(*n)))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 2 {
			key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(key, n)
			fill(elem, n)
			v.SetMapIndex(key, elem)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	default:
		panic("fill does not know " + v.Kind().String())
	}
}
