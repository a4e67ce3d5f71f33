package config

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestCommentsStateTheDefaults(t *testing.T) {
	ends := regexp.MustCompile(`Defaults to (.+)\.$`)
	n := 0
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		for f := range v.Type().Fields() {
			if f.Tag.Get("toml") == "" || f.Tag.Get("toml") == "-" {
				continue
			}
			fv := v.FieldByIndex(f.Index)
			name := v.Type().Name() + "." + f.Name
			if fv.Kind() == reflect.Struct && fv.Type() != reflect.TypeFor[Secret]() && fv.Type() != reflect.TypeFor[time.Time]() {
				walk(fv)
				continue
			}
			if k := fv.Kind(); (k == reflect.Slice || k == reflect.Map) && fv.Type().Elem().Kind() == reflect.Struct && fv.Type().Elem() != reflect.TypeFor[Secret]() {
				walk(element(fv.Type().Elem()))
				continue
			}
			n++
			want := "none"
			if d, ok := shown(fv); ok {
				want = fmt.Sprint(d)
				if fv.Kind() == reflect.Slice {
					want = strings.ReplaceAll(want, "} {", "}, {")
				}
				want = strings.Join(strings.Fields(strings.Trim(want, "[]")), " ")
			}
			m := ends.FindStringSubmatch(docs()[name])
			if m == nil || m[1] != want {
				t.Errorf("%s: the comment is %q, the default is %s", name, docs()[name], want)
			}
		}
	}
	walk(reflect.ValueOf(Default()).Elem())
	if n < 60 {
		t.Errorf("only %d fields were compared", n)
	}
}

func TestSchemaDescribesTheExample(t *testing.T) {
	var schema map[string]any
	if err := json.Unmarshal(Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	if schema["$schema"] != "https://json-schema.org/draft/2020-12/schema" {
		t.Error("it names no draft")
	}
	for name, text := range map[string]string{"example": example, "example with its comments": uncommented(), "every setting": full} {
		m, problems := parseTOML("x", text)
		if m == nil {
			t.Fatal(name, problems)
		}
		for _, p := range validate(schema, m, "") {
			t.Errorf("%s: %s", name, p)
		}
	}
	for _, bad := range []string{"pol = 1", "[entity]\nlimit = 5000", "[entity]\npoll = \"soon\"", "[sites.\"x.org\"]\nallowed = \"me\"", "[[plugin]]\npath = \"x\"", "[mail]\nx = 1", "[browser]\nheadless = \"no\""} {
		m, _ := parseTOML("x", bad)
		if len(validate(schema, m, "")) == 0 {
			t.Errorf("the schema accepts %q", bad)
		}
	}
}

// uncommented is the example with every setting switched on.
func uncommented() string {
	return regexp.MustCompile(`(?m)^#(\[|[a-z0-9_]+ = )`).ReplaceAllString(example, "$1")
}

func TestExampleLoadsAndShowsTheDefaults(t *testing.T) {
	plain := load(t, string(Example()))
	empty := load(t, "[entity]\napi_key = \"env:ROLLCALL_API_KEY\"")
	plain.file, plain.State.Dir, plain.Store.URL, plain.Drivers.Scripts, plain.secrets = empty.file, empty.State.Dir, empty.Store.URL, empty.Drivers.Scripts, empty.secrets
	plain.Entity.APIKey = empty.Entity.APIKey
	if !reflect.DeepEqual(plain, empty) {
		t.Errorf("the example differs from the defaults:\n%+v\n%+v", plain, empty)
	}
	text := strings.ReplaceAll(uncommented(), "the 64 digits that sha256sum prints", strings.Repeat("ab", 32))
	all := load(t, text, "sites.csv", "domain\n")
	for _, pair := range [][2]any{{all.Entity.States, empty.Entity.States}, {all.Retry, empty.Retry}, {all.Human, empty.Human}, {all.Lease, empty.Lease}, {all.Limits, empty.Limits},
		{all.Log, empty.Log}, {all.Pace, empty.Pace}, {all.Browser, empty.Browser}, {all.Entity.BaseURL, empty.Entity.BaseURL}, {all.Entity.Poll, empty.Entity.Poll}, {all.Entity.Limit, empty.Entity.Limit},
		{all.Mail.Hold, empty.Mail.Hold}, {all.Mail.Within, empty.Mail.Within}, {all.State.Retention, empty.State.Retention}, {all.Store.Key, empty.Store.Key}} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("a commented setting is not the default: %+v, %+v", pair[0], pair[1])
		}
	}
	if len(all.Sites) != 1 || len(all.Plugins) != 1 || len(all.Mail.Boxes) != 1 || all.Mail.Boxes["*"].User != "{email}" {
		t.Errorf("%+v", all)
	}
	schema := string(Schema())
	for f := range reflect.TypeFor[Config]().Fields() {
		if name := f.Tag.Get("toml"); name != "" && name != "allow_literal_secrets" && !strings.Contains(example, name) {
			t.Errorf("the example lacks %s", name)
		} else if name != "" && !strings.Contains(schema, `"`+name+`"`) {
			t.Errorf("the schema lacks %s", name)
		}
	}
}

// validate checks v against the parts of JSON schema that Schema uses.
func validate(schema map[string]any, v any, at string) (problems []string) {
	bad := func(format string, args ...any) { problems = append(problems, at+": "+fmt.Sprintf(format, args...)) }
	if any, ok := schema["anyOf"].([]any); ok {
		for _, s := range any {
			if len(validate(s.(map[string]interface{}), v, at)) == 0 {
				return nil
			}
		}
		return []string{at + ": no alternative fits"}
	}
	kind := map[string]bool{}
	switch want := schema["type"].(type) {
	case string:
		kind[want] = true
	case []any:
		for _, w := range want {
			kind[w.(string)] = true
		}
	}
	got := ""
	switch x := v.(type) {
	case map[string]any:
		got = "object"
		props, _ := schema["properties"].(map[string]any)
		for name, value := range x {
			p, ok := props[name].(map[string]any)
			if !ok {
				if p, ok = schema["additionalProperties"].(map[string]any); !ok {
					bad("%s is not known", name)
					continue
				}
			}
			problems = append(problems, validate(p, value, at+"."+name)...)
		}
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if _, ok := x[name.(string)]; !ok {
				bad("%s is missing", name)
			}
		}
	case []any, []map[string]any:
		got = "array"
		items, _ := schema["items"].(map[string]any)
		for i := range reflect.ValueOf(x).Len() {
			problems = append(problems, validate(items, reflect.ValueOf(x).Index(i).Interface(), at+"[]")...)
		}
	case string:
		got = "string"
		if p, ok := schema["pattern"].(string); ok && !regexp.MustCompile(p).MatchString(x) {
			bad("%q does not match %s", x, p)
		}
		if words, ok := schema["enum"].([]any); ok && !strings.Contains(fmt.Sprint(words), x) {
			bad("%q is none of %v", x, words)
		}
	case time.Time:
		got = "string"
	case bool:
		got = "boolean"
	case int64:
		got = "integer"
		if kind["number"] {
			got = "number"
		}
		if n, ok := schema["minimum"].(float64); ok && float64(x) < n {
			bad("%d is below %v", x, n)
		}
		if n, ok := schema["maximum"].(float64); ok && float64(x) > n {
			bad("%d is above %v", x, n)
		}
	case float64:
		got = "number"
	}
	if !kind[got] {
		bad("it is a %s, wanted %v", got, schema["type"])
	}
	return problems
}
