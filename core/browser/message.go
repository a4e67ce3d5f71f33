package browser

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/go-rod/rod/lib/cdp"
)

// message is one answer or event of the browser.
type message struct {
	ID        int             `json:"id"`
	SessionID string          `json:"sessionId"`
	Method    string          `json:"method"`
	Params    json.RawMessage `json:"params"`
	Result    json.RawMessage `json:"result"`
	Error     *cdp.Error      `json:"error"`
}

// readMessage takes a message apart. What is inside of Params and Result is looked
// at by whoever needs it: most of what the browser tells, nobody does.
func readMessage(data []byte) (m message, ok bool) {
	if m, ok = cut(data); ok {
		return m, true
	}
	m = message{}
	return m, json.Unmarshal(data, &m) == nil
}

// cut takes apart a message in the form in which Chromium writes them, which is
// {"id":N,"result":{…},"sessionId":"…"} or {"method":"…","params":{…},"sessionId":"…"},
// its sessionId left out where it is the browser's own. A string inside can't look like
// the ends, since its quotes are escaped. Anything else is not ok.
func cut(data []byte) (m message, ok bool) {
	rest := bytes.TrimRight(data, "\r\n")
	if !bytes.HasSuffix(rest, []byte("}")) {
		return m, false
	}
	rest = rest[:len(rest)-1]
	if bytes.HasSuffix(rest, []byte(`"`)) {
		const key = `,"sessionId":"`
		at := bytes.LastIndex(rest, []byte(key))
		if at < 0 {
			return m, false
		}
		m.SessionID = string(rest[at+len(key) : len(rest)-1])
		for _, c := range []byte(m.SessionID) {
			if (c < '0' || c > '9') && (c < 'A' || c > 'F') {
				return m, false
			}
		}
		rest = rest[:at]
	}
	var found bool
	if rest, found = bytes.CutPrefix(rest, []byte(`{"method":"`)); found {
		name, params, found := bytes.Cut(rest, []byte(`","params":{`))
		if !found || bytes.ContainsAny(name, `"\`) || !bytes.HasSuffix(rest, []byte("}")) {
			return m, false
		}
		m.Method, m.Params = string(name), rest[len(rest)-len(params)-1:]
		return m, true
	}
	if rest, found = bytes.CutPrefix(rest, []byte(`{"id":`)); found {
		id, result, found := bytes.Cut(rest, []byte(`,"result":{`))
		n, err := strconv.Atoi(string(id))
		if !found || err != nil || !bytes.HasSuffix(rest, []byte("}")) {
			return m, false
		}
		m.ID, m.Result = n, rest[len(rest)-len(result)-1:]
		return m, true
	}
	return m, false
}

// ofPart reports whether a network event is about a part of a document, such as a
// picture, whose fate no verb waits for. Its type stands before the answer's headers,
// or behind the request's (last), which are the site's and may say anything.
func ofPart(params json.RawMessage, last bool) bool {
	key := []byte(`"type":"`)
	at := bytes.Index(params, key)
	if last {
		at = bytes.LastIndex(params, key)
	}
	if at < 0 {
		return false
	}
	kind, _, _ := bytes.Cut(params[at+len(key):], []byte(`"`))
	switch string(kind) {
	case "Script", "Image", "Stylesheet", "Font", "Media":
		return true
	}
	return false
}
