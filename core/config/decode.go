package config

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// decoder puts a parsed file into a Config and collects what is wrong.
type decoder struct {
	file     string
	lines    index
	literals bool // secrets may be plain text
	problems []*Problem
}

// bad records a problem at path.
func (d *decoder) bad(path []string, format string, args ...any) {
	d.problems = append(d.problems, &Problem{File: d.file, Line: d.lines.line(path), Key: display(path), Msg: fmt.Sprintf(format, args...)})
}

// display is the dotted key, without the numbers of array elements.
func display(path []string) string {
	var key toml.Key
	for i, p := range path {
		if _, err := strconv.Atoi(p); err == nil && i > 0 {
			continue
		}
		key = append(key, p)
	}
	return key.String()
}

func under(path []string, name string) []string { return append(slices.Clip(path), name) }

// fields are the fields of a configuration struct by key; rest takes further tables.
func fields(t reflect.Type) (byKey map[string]reflect.StructField, rest *reflect.StructField) {
	byKey = map[string]reflect.StructField{}
	for f := range t.Fields() {
		switch name := f.Tag.Get("toml"); name {
		case "", "-":
		case ",rest":
			rest = &f
		default:
			byKey[name] = f
		}
	}
	return byKey, rest
}

// table puts m into the struct v.
func (d *decoder) table(path []string, m map[string]any, v reflect.Value) {
	byKey, rest := fields(v.Type())
	for _, key := range slices.Sorted(maps.Keys(m)) {
		at := under(path, key)
		f, ok := byKey[key]
		switch sub, isTable := m[key].(map[string]any); {
		case ok:
			d.value(at, m[key], f.Tag, v.FieldByIndex(f.Index))
		case rest != nil && isTable:
			d.entry(at, key, sub, v.FieldByIndex(rest.Index))
		default:
			d.bad(at, "unknown key%s", nearest(key, slices.Collect(maps.Keys(byKey))))
		}
	}
	for f := range v.Type().Fields() {
		if f.Tag.Get("required") == "true" && v.FieldByIndex(f.Index).IsZero() {
			if _, given := m[f.Tag.Get("toml")]; !given {
				d.bad(path, "%s is missing", f.Tag.Get("toml"))
			}
		}
	}
	if f := v.FieldByName("Place"); f.IsValid() {
		f.SetString(fmt.Sprintf("%s:%d", d.file, d.lines.line(path)))
	}
}

// entry puts a named table into a map.
func (d *decoder) entry(path []string, name string, m map[string]any, into reflect.Value) {
	e := element(into.Type().Elem())
	d.table(path, m, e)
	if into.IsNil() {
		into.Set(reflect.MakeMap(into.Type()))
	}
	into.SetMapIndex(reflect.ValueOf(name), e)
}

// value puts raw into v, which has the tag.
func (d *decoder) value(path []string, raw any, tag reflect.StructTag, v reflect.Value) {
	switch p := v.Addr().Interface().(type) {
	case *time.Duration:
		if s, ok := raw.(string); ok {
			d.duration(path, s, tag, p)
		} else {
			d.wrong(path, `a duration in quotes, such as "30s"`, raw)
		}
		return
	case *time.Time:
		if t, ok := raw.(time.Time); ok && t.Location().String() != "time-local" {
			*p = basisEnd(t)
		} else {
			d.wrong(path, "a date without quotes, such as 2027-12-31", raw)
		}
		return
	case *Secret:
		d.secret(path, raw, tag, p)
		return
	case *[]Secret:
		items, ok := raw.([]any)
		if !ok {
			items = []any{raw}
		}
		*p = make([]Secret, len(items))
		for i, item := range items {
			d.secret(under(path, strconv.Itoa(i)), item, tag, &(*p)[i])
		}
		return
	case *map[string]any:
		d.options(path, raw, p)
		return
	}
	switch v.Kind() {
	case reflect.String:
		if s, ok := raw.(string); ok {
			v.SetString(s)
			d.text(path, s, tag)
		} else {
			d.wrong(path, "a text in quotes", raw)
		}
	case reflect.Bool:
		if b, ok := raw.(bool); ok {
			v.SetBool(b)
		} else {
			d.wrong(path, "true or false", raw)
		}
	case reflect.Int:
		if n, ok := raw.(int64); ok {
			v.SetInt(n)
			d.inRange(path, n, tag, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) })
		} else {
			d.wrong(path, "a whole number", raw)
		}
	case reflect.Float64:
		f, ok := raw.(float64)
		if n, whole := raw.(int64); whole {
			f, ok = float64(n), true
		}
		if !ok {
			d.wrong(path, "a number", raw)
			return
		}
		v.SetFloat(f)
		least, _ := strconv.ParseFloat(tag.Get("min"), 64)
		if most, err := strconv.ParseFloat(tag.Get("max"), 64); err == nil && !(f >= least && f <= most) {
			d.bad(path, "it must be from %s to %s", tag.Get("min"), tag.Get("max"))
		}
	case reflect.Struct:
		if m, ok := raw.(map[string]any); ok {
			d.table(path, m, v)
		} else {
			d.wrong(path, "a table", raw)
		}
	case reflect.Map:
		m, ok := raw.(map[string]any)
		if !ok {
			d.wrong(path, "a table of tables", raw)
			return
		}
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if sub, ok := m[name].(map[string]any); ok {
				d.entry(under(path, name), name, sub, v)
			} else {
				d.wrong(under(path, name), "a table", m[name])
			}
		}
	case reflect.Slice:
		d.list(path, raw, v)
	}
}

// list puts an array of texts or of tables into v.
func (d *decoder) list(path []string, raw any, v reflect.Value) {
	tables := v.Type().Elem().Kind() == reflect.Struct
	want := "a list of texts, such as [\"a\", \"b\"]"
	if tables {
		want = fmt.Sprintf("a list of tables, each under [[%s]]", display(path))
	}
	var items []any
	switch r := raw.(type) {
	case []any:
		items = r
	case []map[string]any:
		for _, m := range r {
			items = append(items, m)
		}
	default:
		d.wrong(path, want, raw)
		return
	}
	out := reflect.MakeSlice(v.Type(), 0, len(items))
	for i, item := range items {
		at := under(path, strconv.Itoa(i))
		e := element(v.Type().Elem())
		switch item := item.(type) {
		case map[string]any:
			if !tables {
				d.wrong(at, "a text in quotes", item)
				continue
			}
			d.table(at, item, e)
		case string:
			if tables {
				d.wrong(at, "a table", item)
				continue
			}
			e.SetString(item)
		default:
			d.wrong(path, want, item)
			continue
		}
		out = reflect.Append(out, e)
	}
	v.Set(out)
}

// wrong records a value of the wrong type.
func (d *decoder) wrong(path []string, want string, raw any) {
	got := "something else"
	switch r := raw.(type) {
	case string:
		got = "a text"
	case bool:
		got = "true or false"
	case int64, float64:
		got = "a number"
	case time.Time:
		got = "a date or time"
	case []any, []map[string]any:
		got = "a list"
	case map[string]any:
		got = "a table"
	case nil:
		got = fmt.Sprint(r)
	}
	d.bad(path, "wanted %s, got %s", want, got)
}

// text checks what the tag says of a text.
func (d *decoder) text(path []string, s string, tag reflect.StructTag) {
	if words := tag.Get("oneof"); words != "" && s != "" {
		if known := strings.Fields(words); !slices.Contains(known, s) {
			d.bad(path, "%s is not one of %s%s", strconv.Quote(s), strings.Join(known, ", "), nearest(s, known))
		}
	}
	if schemes := tag.Get("url"); schemes != "" && s != "" {
		if err := checkURL(s, strings.Fields(schemes)); err != nil {
			d.bad(path, "%s", err)
		}
	}
	if strings.ContainsRune(s, 0) {
		d.bad(path, "it holds a zero byte")
	}
}

func (d *decoder) duration(path []string, s string, tag reflect.StructTag, p *time.Duration) {
	v, err := parseDuration(s)
	if err != nil {
		d.bad(path, "%s", err)
		return
	}
	*p = v
	d.inRange(path, int64(v), tag, func(s string) (int64, error) {
		v, err := parseDuration(s)
		return int64(v), err
	})
}

// inRange checks the tag's min and max.
func (d *decoder) inRange(path []string, n int64, tag reflect.StructTag, parse func(string) (int64, error)) {
	least, most := tag.Get("min"), tag.Get("max")
	if v, err := parse(least); least != "" && err == nil && n < v {
		d.bad(path, "it must be at least %s", least)
	}
	if v, err := parse(most); most != "" && err == nil && n > v {
		d.bad(path, "it must be at most %s", most)
	}
}

// options takes a driver's settings: texts, numbers and truth values.
func (d *decoder) options(path []string, raw any, p *map[string]any) {
	m, ok := raw.(map[string]any)
	if !ok {
		d.wrong(path, "a table", raw)
		return
	}
	out := make(map[string]any, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		switch v := m[name].(type) {
		case string, bool:
			out[name] = v
		case int64:
			out[name] = float64(v)
		case float64:
			if math.IsNaN(v) || math.IsInf(v, 0) {
				d.bad(under(path, name), "it must be a finite number")
			}
			out[name] = v
		default:
			d.wrong(under(path, name), "a text, a number, true or false", v)
		}
	}
	*p = out
}

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// secret takes the source of a secret.
func (d *decoder) secret(path []string, raw any, tag reflect.StructTag, p *Secret) {
	s, ok := raw.(string)
	if !ok {
		d.wrong(path, "env:NAME or file:PATH in quotes", raw)
		return
	}
	*p = Secret{text: s, file: d.file, line: d.lines.line(path), key: display(path)}
	kind, rest, _ := strings.Cut(s, ":")
	switch {
	case s == "":
		p.kind = sourceNone
	case kind == "env" && variable.MatchString(rest):
		p.kind, p.text = sourceEnv, rest
	case kind == "env":
		d.bad(path, "env: must be followed by the name of an environment variable")
	case kind == "file" && rest != "":
		p.kind, p.text = sourceFile, rest
	case kind == "file":
		d.bad(path, "file: must be followed by a path")
	case tag.Get("template") == "true" && template.MatchString(s):
		p.kind = sourceTemplate
	case d.literals:
		p.kind = sourceLiteral
	default:
		d.bad(path, "a secret in plain text; write env:NAME or file:PATH, or set allow_literal_secrets = true at the top of the file")
	}
}

// parseDuration reads a Go duration, with d for days of 24 hours.
func parseDuration(s string) (time.Duration, error) {
	rest, days := s, time.Duration(0)
	if n, after, ok := strings.Cut(s, "d"); ok {
		v, err := strconv.ParseUint(n, 10, 15)
		if err != nil {
			return 0, errDuration(s)
		}
		rest, days = after, time.Duration(v)*day
		if rest == "" {
			return days, nil
		}
	}
	v, err := time.ParseDuration(rest)
	if err != nil || v < 0 || v > math.MaxInt64-days {
		return 0, errDuration(s)
	}
	return days + v, nil
}

func errDuration(s string) error {
	return fmt.Errorf(`%s is not a duration; write it as "30s", "10m", "72h" or "30d"`, strconv.Quote(s))
}

// basisEnd is when a basis ends: a date lasts through its day in UTC.
func basisEnd(t time.Time) time.Time {
	switch t.Location().String() {
	case "date-local":
		return time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, time.UTC)
	case "datetime-local":
		return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	}
	return t.UTC()
}
