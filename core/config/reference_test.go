package config

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

//go:generate go test -run ^TestTheReferenceIsCurrent$ . -update

var update = flag.Bool("update", false, "write the settings into docs/configuration.md")

const (
	referenceFile = "../../docs/configuration.md"
	referenceHead = "<!-- settings: written by `go generate ./core/config`, do not edit -->\n"
	referenceFoot = "<!-- end of settings -->\n"
)

// TestTheReferenceIsCurrent holds the documentation's tables to the types: every
// key, its default, its bounds and its meaning.
func TestTheReferenceIsCurrent(t *testing.T) {
	text, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), referenceHead)
	old, after, ok2 := strings.Cut(rest, referenceFoot)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the settings, between %q and %q", referenceFile, referenceHead, referenceFoot)
	}
	now := reference()
	if old == now {
		return
	}
	if *update {
		if err := os.WriteFile(referenceFile, []byte(before+referenceHead+now+referenceFoot+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s does not show the settings as they are: run go generate ./core/config", referenceFile)
}

var defaultSentence = regexp.MustCompile(` ?Defaults to .*\.$`)

// reference is one table of settings for each table of the file, in its order.
func reference() string {
	var b strings.Builder
	v := reflect.ValueOf(Default()).Elem()
	fmt.Fprintf(&b, "\n### At the top of the file\n\n")
	rows(&b, v)
	for f := range v.Type().Fields() {
		section(&b, f.Tag.Get("toml"), f, v.FieldByIndex(f.Index))
	}
	b.WriteString("\n")
	return b.String()
}

// section writes the table called name, and those within it.
func section(b *strings.Builder, name string, f reflect.StructField, v reflect.Value) {
	if name == "" || name == "-" {
		return
	}
	title := "[" + name + "]"
	switch {
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct && v.Type().Elem() != reflect.TypeFor[Secret]():
		title, v = "[["+name+"]]", element(v.Type().Elem())
	case v.Kind() == reflect.Map && v.Type().Elem().Kind() == reflect.Struct:
		title, v = "["+name+`."DOMAIN"]`, element(v.Type().Elem())
	case v.Kind() != reflect.Struct || v.Type() == reflect.TypeFor[Secret]() || v.Type() == reflect.TypeFor[time.Time]():
		return
	}
	fmt.Fprintf(b, "\n### `%s`\n\n", title)
	if text := docs()[v.Type().Name()]; text != "" {
		fmt.Fprintf(b, "%s\n\n", text)
	}
	rows(b, v)
	prefix := strings.Trim(title, "[]")
	for g := range v.Type().Fields() {
		sub := g.Tag.Get("toml")
		if sub == ",rest" {
			section(b, prefix, g, v.FieldByIndex(g.Index))
		} else {
			section(b, prefix+"."+sub, g, v.FieldByIndex(g.Index))
		}
	}
}

// rows writes the plain settings of v.
func rows(b *strings.Builder, v reflect.Value) {
	fmt.Fprintf(b, "| key | default | meaning |\n|---|---|---|\n")
	for f := range v.Type().Fields() {
		name, fv := f.Tag.Get("toml"), v.FieldByIndex(f.Index)
		if name == "" || name == "-" || name == ",rest" || tableLike(fv.Type()) {
			continue
		}
		def := "none"
		if d, ok := shown(fv); ok {
			def = "`" + literal(d) + "`"
		} else if f.Tag.Get("required") == "true" {
			def = "required"
		}
		meaning := defaultSentence.ReplaceAllString(docs()[v.Type().Name()+"."+f.Name], "") + bounds(f.Tag)
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", name, def, strings.ReplaceAll(meaning, "|", `\|`))
	}
}

func tableLike(t reflect.Type) bool {
	plain := []reflect.Type{reflect.TypeFor[Secret](), reflect.TypeFor[time.Time]()}
	one := func(t reflect.Type) bool { return t.Kind() == reflect.Struct && t != plain[0] && t != plain[1] }
	return one(t) || (t.Kind() == reflect.Slice || t.Kind() == reflect.Map) && one(t.Elem())
}

// bounds are what a setting accepts.
func bounds(tag reflect.StructTag) string {
	least, most := tag.Get("min"), tag.Get("max")
	switch {
	case tag.Get("oneof") != "":
		return " One of `" + strings.Join(strings.Fields(tag.Get("oneof")), "`, `") + "`."
	case least != "" && most != "":
		return fmt.Sprintf(" From %s to %s.", least, most)
	case least != "" && least != "0":
		return fmt.Sprintf(" At least %s.", least)
	}
	return ""
}

// literal is a default as it stands in the file.
func literal(d any) string {
	switch d := d.(type) {
	case string:
		return fmt.Sprintf("%q", d)
	case []string:
		var out []string
		for _, s := range d {
			out = append(out, fmt.Sprintf("%q", s))
		}
		return "[" + strings.Join(out, ", ") + "]"
	}
	return fmt.Sprint(d)
}

func TestTheReferencesExamplesLoad(t *testing.T) {
	text, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/sites.csv", []byte("domain,allowed\nshop.example.org,owner\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(text), "```toml\n")
	if len(parts) != 4 {
		t.Errorf("%d examples, there are 3", len(parts)-1)
	}
	for _, p := range parts[1:] {
		example, _, _ := strings.Cut(p, "```")
		if _, problems := parse("configuration.md", dir, example); len(problems) > 0 {
			t.Errorf("%s\n%v", example, problems)
		}
	}
}
