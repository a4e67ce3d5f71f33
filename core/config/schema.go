package config

import (
	_ "embed" // the sources of the help texts
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed types.go
var typesSource string

//go:embed example.toml
var example string

// Example returns the commented file that rollcall init writes. It loads as it
// stands, and every setting in it that is commented out shows its default.
func Example() []byte { return []byte(example) }

// docs are the comments of types.go: "Type" and "Type.Field".
var docs = sync.OnceValue(func() map[string]string {
	out := map[string]string{}
	file, err := parser.ParseFile(token.NewFileSet(), "types.go", typesSource, parser.ParseComments)
	if err != nil {
		return out // the compiler has read the same text
	}
	for _, decl := range file.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range gen.Specs {
			t, ok := spec.(*ast.TypeSpec)
			if !ok {
				continue
			}
			out[t.Name.Name] = plain(gen.Doc)
			if st, ok := t.Type.(*ast.StructType); ok {
				for _, f := range st.Fields.List {
					for _, n := range f.Names {
						out[t.Name.Name+"."+n.Name] = plain(f.Doc)
					}
				}
			}
		}
	}
	return out
})

func plain(c *ast.CommentGroup) string { return strings.Join(strings.Fields(c.Text()), " ") }

// Schema returns the JSON schema (draft 2020-12) of rollcall.toml for editors.
// Its help texts are the comments of this package's types.
func Schema() []byte {
	s := schemaOf(reflect.ValueOf(Default()).Elem(), "")
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "rollcall.toml"
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil // maps of texts, numbers and truth values always marshal
	}
	return append(out, '\n')
}

type object = map[string]any

const (
	durationPattern = `^([0-9]+d)?([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))*$`
	datePattern     = `^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ].*)?$`
)

// schemaOf describes v, whose value is the default.
func schemaOf(v reflect.Value, tag reflect.StructTag) object {
	switch v.Interface().(type) {
	case time.Duration:
		return object{"type": "string", "pattern": durationPattern}
	case time.Time:
		return object{"type": "string", "pattern": datePattern}
	case Secret:
		if tag.Get("template") == "true" {
			return object{"type": "string"}
		}
		return object{"type": "string", "description": "env:NAME or file:PATH", "examples": []string{"env:NAME", "file:PATH"}}
	case []Secret:
		one := schemaOf(reflect.ValueOf(Secret{}), tag)
		return object{"anyOf": []object{one, {"type": "array", "items": one}}}
	case map[string]any:
		return object{"type": "object", "additionalProperties": object{"type": []string{"string", "number", "boolean"}}}
	}
	switch v.Kind() {
	case reflect.String:
		s := object{"type": "string"}
		if words := tag.Get("oneof"); words != "" {
			s["enum"] = strings.Fields(words)
		}
		if schemes := tag.Get("url"); schemes != "" {
			s["pattern"] = "^(" + strings.ReplaceAll(schemes, " ", "|") + ")://"
		}
		return s
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int:
		s := object{"type": "integer"}
		if n, err := strconv.Atoi(tag.Get("min")); err == nil {
			s["minimum"] = n
		}
		if n, err := strconv.Atoi(tag.Get("max")); err == nil {
			s["maximum"] = n
		}
		return s
	case reflect.Float64:
		s := object{"type": "number"}
		if n, err := strconv.ParseFloat(tag.Get("min"), 64); err == nil {
			s["minimum"] = n
		}
		if n, err := strconv.ParseFloat(tag.Get("max"), 64); err == nil {
			s["maximum"] = n
		}
		return s
	case reflect.Slice:
		return object{"type": "array", "items": schemaOf(element(v.Type().Elem()), tag)}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": schemaOf(element(v.Type().Elem()), tag)}
	default:
		return structSchema(v)
	}
}

func structSchema(v reflect.Value) object {
	properties, required := object{}, []string{}
	s := object{"type": "object", "additionalProperties": false, "properties": properties}
	if text := docs()[v.Type().Name()]; text != "" {
		s["description"] = text
	}
	for f := range v.Type().Fields() {
		name := f.Tag.Get("toml")
		if name == "" || name == "-" {
			continue
		}
		one := schemaOf(v.FieldByIndex(f.Index), f.Tag)
		if name == ",rest" {
			s["additionalProperties"] = one["additionalProperties"]
			continue
		}
		if text := docs()[v.Type().Name()+"."+f.Name]; text != "" {
			one["description"] = text
		}
		if d, ok := shown(v.FieldByIndex(f.Index)); ok {
			one["default"] = d
		}
		if f.Tag.Get("required") == "true" {
			required = append(required, name)
		}
		properties[name] = one
	}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// shown is a default as it would stand in the file; there is none for what is
// empty.
func shown(v reflect.Value) (any, bool) {
	switch x := v.Interface().(type) {
	case time.Duration:
		return formatDuration(x), x != 0
	case Secret:
		return x.String(), !x.Empty()
	case []Secret:
		var out []string
		for _, s := range x {
			out = append(out, s.String())
		}
		return out, len(out) > 0
	}
	switch v.Kind() {
	case reflect.String:
		return v.String(), v.Len() > 0
	case reflect.Bool:
		return v.Bool(), true
	case reflect.Int:
		return v.Int(), true
	case reflect.Float64:
		return v.Float(), true
	case reflect.Slice:
		return v.Interface(), v.Len() > 0 && v.Type().Elem().Kind() == reflect.String
	}
	return nil, false
}

// formatDuration is the short form of a duration: 15s, 10m, 72h, 30d.
func formatDuration(d time.Duration) string {
	if d >= 7*day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if d > time.Minute || d == 0 {
		s = strings.TrimSuffix(s, "0s")
		if strings.HasSuffix(s, "h0m") {
			s = strings.TrimSuffix(s, "0m")
		}
	} else if d == time.Minute {
		s = "60s"
	}
	return s
}
