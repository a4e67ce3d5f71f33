package entity

import (
	"encoding/json"
	"strings"
)

// images reads the field whose shape the protocol leaves open. An element may be
// an address, {type, url}, {type, urls} or {avatar, cover}; the last may also
// stand without an array. An address without a type counts as an avatar. strange
// says that something in it was none of these.
func images(raw json.RawMessage) (avatars, covers []string, strange bool) {
	var items []json.RawMessage
	switch kind(raw) {
	case "an array":
		var err error
		if items, _, err = elements(raw, maxLinks); err != nil {
			return nil, nil, true
		}
	case "an object":
		items = []json.RawMessage{raw}
	case "a text":
		if s, err := text(raw); err == nil && s == "" {
			return nil, nil, false
		}
		return nil, nil, true
	default:
		return nil, nil, true
	}
	for _, item := range items {
		a, c, ok := image(item)
		avatars, covers = append(avatars, a...), append(covers, c...)
		strange = strange || !ok
	}
	return unique(avatars), unique(covers), strange
}

// image reads one element.
func image(raw json.RawMessage) (avatars, covers []string, ok bool) {
	switch kind(raw) {
	case "null":
		return nil, nil, true
	case "a text":
		urls, ok := addresses(raw)
		return urls, nil, ok
	case "an object":
	default:
		return nil, nil, false
	}
	fields, err := members(raw)
	if err != nil {
		return nil, nil, false
	}
	ok = true
	var typed []string
	role, found := "", false
	for _, f := range fields {
		var urls []string
		good := true
		switch f.name {
		case "type":
			var err error
			role, err = text(f.raw)
			good = err == nil
		case "url", "urls":
			found = true
			urls, good = addresses(f.raw)
			typed = append(typed, urls...)
		case "avatar", "avatars":
			found = true
			urls, good = addresses(f.raw)
			avatars = append(avatars, urls...)
		case "cover", "covers":
			found = true
			urls, good = addresses(f.raw)
			covers = append(covers, urls...)
		}
		ok = ok && good
	}
	switch strings.ToLower(strings.TrimSpace(role)) {
	case "", "avatar":
		avatars = append(avatars, typed...)
	case "cover":
		covers = append(covers, typed...)
	default:
		ok = false
	}
	return avatars, covers, ok && found
}

// addresses reads one address or an array of them.
func addresses(raw json.RawMessage) ([]string, bool) {
	switch kind(raw) {
	case "null":
		return nil, true
	case "a text":
		s, err := text(raw)
		if s = strings.TrimSpace(s); err != nil || s == "" {
			return nil, err == nil
		}
		return []string{s}, true
	case "an array":
		urls, err := texts(raw)
		return urls, err == nil
	}
	return nil, false
}

// withFirst puts first, when there is one, before the others.
func withFirst(first string, others []string) []string {
	if first == "" {
		return others
	}
	return unique(append([]string{first}, others...))
}

// unique keeps the first of equal texts.
func unique(in []string) []string {
	var out []string
	seen := make(map[string]bool, len(in))
	for _, s := range in {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}
