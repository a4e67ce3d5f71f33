package entity

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// answer is what every call gets back.
type answer struct {
	success bool
	message string
	data    json.RawMessage
}

// readAnswer reads {"success":…,"message":…,"data":…} and nothing after it.
func readAnswer(body []byte) (answer, error) {
	if looksHTML(body) {
		return answer{}, errors.New("the answer is a web page instead of JSON")
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return answer{}, errors.New("the answer is empty")
	}
	fields, err := members(body)
	if err != nil {
		return answer{}, fmt.Errorf("the answer can't be read: %w", err)
	}
	var a answer
	known := false
	for _, f := range fields {
		switch f.name {
		case "success":
			switch string(f.raw) {
			case "true":
				a.success, known = true, true
			case "false":
				known = true
			default:
				return answer{}, fmt.Errorf("the answer can't be read: success: wanted true or false, got %s", kind(f.raw))
			}
		case "message":
			if a.message, err = text(f.raw); err != nil {
				a.message = ""
			}
		case "data":
			a.data = f.raw
		}
	}
	if !known {
		return answer{}, errors.New("the answer has no success")
	}
	return a, nil
}

// member is one name and value of an object.
type member struct {
	name string
	raw  json.RawMessage
}

// members splits one JSON object, and only one, into its members, in order. A
// name that comes twice is an error, as is one that is not UTF-8.
func members(raw []byte) ([]member, error) {
	if kind(raw) != "an object" {
		return nil, fmt.Errorf("wanted an object, got %s", kind(raw))
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		return nil, syntax(err)
	}
	var out []member
	seen := map[string]bool{}
	for d.More() {
		from := d.InputOffset()
		t, err := d.Token()
		if err != nil {
			return nil, syntax(err)
		}
		name, _ := t.(string)
		if !sound(raw[from:d.InputOffset()]) {
			return nil, fmt.Errorf("the name %q is not valid UTF-8", name)
		}
		if seen[name] {
			return nil, fmt.Errorf("%q comes twice", oneLine(name, maxWords))
		}
		seen[name] = true
		m := member{name: name}
		if err := d.Decode(&m.raw); err != nil {
			return nil, fmt.Errorf("%s: %w", oneLine(name, maxWords), syntax(err))
		}
		out = append(out, m)
	}
	if _, err := d.Token(); err != nil {
		return nil, syntax(err)
	}
	return out, end(d)
}

// elements splits one JSON array, and only one, and returns its first most
// elements and how many there are. null is an empty array.
func elements(raw []byte, most int) (out []json.RawMessage, n int, err error) {
	if string(raw) == "null" {
		return nil, 0, nil
	}
	if kind(raw) != "an array" {
		return nil, 0, fmt.Errorf("wanted an array, got %s", kind(raw))
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		return nil, 0, syntax(err)
	}
	for ; d.More(); n++ {
		var item json.RawMessage
		if err := d.Decode(&item); err != nil {
			return nil, 0, syntax(err)
		}
		if n < most {
			out = append(out, item)
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, 0, syntax(err)
	}
	return out, n, end(d)
}

// end is an error unless d has only white space left.
func end(d *json.Decoder) error {
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more text after the JSON value")
	}
	return nil
}

func syntax(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the JSON text breaks off")
	}
	return errors.New(oneLine(strings.TrimPrefix(err.Error(), "json: "), maxWords))
}

// kind names the type of a JSON value.
func kind(raw []byte) string {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return "nothing"
	}
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a text"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	}
	return "a number"
}

var errUTF8 = errors.New("it is not valid UTF-8")

// text reads a JSON text, and a number as it is written.
func text(raw []byte) (string, error) {
	switch kind(raw) {
	case "a number":
		return string(raw), nil
	case "a text":
	default:
		return "", fmt.Errorf("wanted a text, got %s", kind(raw))
	}
	if !sound(raw) {
		return "", errUTF8
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", syntax(err)
	}
	return s, nil
}

// sound reports whether decoding raw keeps every character: it is UTF-8, and no
// \u escape is half a surrogate pair.
func sound(raw []byte) bool {
	if !utf8.Valid(raw) {
		return false
	}
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		i++
		if i >= len(raw) || raw[i] != 'u' {
			continue
		}
		switch v := unit(raw, i+1); {
		case v >= 0xdc00 && v < 0xe000:
			return false
		case v >= 0xd800 && v < 0xdc00:
			if i+6 >= len(raw) || raw[i+5] != '\\' || raw[i+6] != 'u' {
				return false
			}
			if low := unit(raw, i+7); low < 0xdc00 || low >= 0xe000 {
				return false
			}
			i += 6
		}
	}
	return true
}

// unit is the value of four hex digits at raw[at:], 0 when they are not there.
func unit(raw []byte, at int) (v int) {
	if at+4 > len(raw) {
		return 0
	}
	for _, c := range raw[at : at+4] {
		switch c |= 0x20; {
		case c >= '0' && c <= '9':
			v = v<<4 | int(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | int(c-'a'+10)
		default:
			return 0
		}
	}
	return v
}
