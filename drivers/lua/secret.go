package lua

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strings"
	"sync"

	lua "github.com/yuin/gopher-lua"

	"github.com/rollcall-run/rollcall/core"
)

// secret is a handle: a script passes it to a verb and can't read it.
type secret struct{ value core.Value }

// asset is a handle to one of the task's images.
type asset struct{ name string }

// handle makes a userdata with the metatable mt.
func (h *host) handle(v any, mt *lua.LTable) *lua.LUserData {
	if mt == nil { // the first secret or image of the run
		h.handles()
		mt = h.meta.secret
		if _, image := v.(asset); image {
			mt = h.meta.asset
		}
	}
	ud := h.L.NewUserData()
	ud.Value, ud.Metatable = v, mt
	return ud
}

// handles makes the metatables of secrets and images: nothing can be done with them.
func (h *host) handles() {
	refuse := func(what, why string) *lua.LFunction {
		return h.L.NewFunction(func(*lua.LState) int {
			h.fail("%s %s", what, why)
			return 0
		})
	}
	closed := func(what string) *lua.LTable {
		mt := h.L.CreateTable(0, 10)
		mt.RawSetString("__index", refuse(what, "has no fields; pass it to a verb as it is"))
		mt.RawSetString("__newindex", refuse(what, "is read-only"))
		for _, op := range []string{"__eq", "__lt", "__le"} {
			mt.RawSetString(op, refuse(what, "can't be compared"))
		}
		for _, op := range []string{"__len", "__unm", "__add", "__sub", "__mul", "__div", "__mod", "__pow", "__call", "__concat"} {
			mt.RawSetString(op, refuse(what, "can only be passed to a verb"))
		}
		return mt
	}
	h.meta.secret, h.meta.asset = closed("a secret"), closed("an image")
}

// give hands a value to the script: a text, a secret's handle, or nil when it is empty.
func (h *host) give(v core.Value) lua.LValue {
	switch {
	case v.Empty():
		return lua.LNil
	case v.IsSecret():
		if h.run != nil {
			h.run.redact.Add(v)
		}
		return h.handle(secret{v}, h.meta.secret)
	}
	return lua.LString(h.clean(v.Reveal()))
}

// clean redacts a text on its way to the script.
func (h *host) clean(s string) string {
	if h.run != nil {
		s = h.run.redact.Redact(s)
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// Bounds of the secrets that are looked for in texts, in bytes: a shorter one
// would blot out innocent words, and what is longer is a whole mail, whose link
// and code are known by themselves.
const (
	minSecret = 6
	maxSecret = 4096
)

// redactor replaces the secrets of one run, in the encodings that sites echo them in.
type redactor struct {
	mu       sync.Mutex
	known    []string
	replacer *strings.Replacer
}

var _ core.Redactor = (*redactor)(nil)

// Add registers values for the rest of the run; release does nothing, the redactor ends with the run.
func (r *redactor) Add(values ...core.Value) (release func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range values {
		s := v.Reveal()
		if len(s) < minSecret || len(s) > maxSecret || slices.Contains(r.known, s) {
			continue
		}
		r.known, r.replacer = append(r.known, s), nil
	}
	return func() {}
}

// Redact replaces every known secret in text by •••.
func (r *redactor) Redact(text string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.known) == 0 {
		return text
	}
	if r.replacer == nil {
		var forms []string
		for _, s := range r.known {
			forms = append(forms, encodings(s)...)
		}
		slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
		var pairs []string
		for _, f := range slices.Compact(forms) {
			pairs = append(pairs, f, "•••")
		}
		r.replacer = strings.NewReplacer(pairs...)
	}
	return r.replacer.Replace(text)
}

func encodings(s string) []string {
	quoted, _ := json.Marshal(s)
	b := []byte(s)
	return []string{
		s, url.QueryEscape(s), url.PathEscape(s), html.EscapeString(s), strings.Trim(string(quoted), `"`),
		base64.StdEncoding.EncodeToString(b), base64.URLEncoding.EncodeToString(b),
		base64.RawStdEncoding.EncodeToString(b), base64.RawURLEncoding.EncodeToString(b),
		hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)),
	}
}
