package sandbox

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	entityPath  = "/api/v1/entity"
	maxBody     = 1 << 20
	maxRecorded = 64 << 10
)

// answer is what the API says to one call.
type answer struct {
	status  int
	body    any
	applied bool
}

func refuse(status int, format string, args ...any) answer {
	return answer{status: status, body: map[string]any{"success": false, "message": fmt.Sprintf(format, args...)}}
}

func (m *Manager) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+entityPath+"/links", m.serve(CallList))
	mux.HandleFunc("GET "+entityPath+"/links/{id}", m.serve(CallGet))
	mux.HandleFunc("POST "+entityPath+"/links/{id}/start", m.serve(CallStart))
	mux.HandleFunc("POST "+entityPath+"/links/{id}/complete", m.serve(CallComplete))
	mux.HandleFunc("POST "+entityPath+"/links/{id}/fail", m.serve(CallFail))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		sendJSON(w, refuse(http.StatusNotFound, "no such call: %s %s", r.Method, r.URL.Path))
	})
	return mux
}

// serve answers one call: what arrived is recorded, then the hook's fault or
// the call's own answer is sent.
func (m *Manager) serve(name CallName) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
		if err != nil {
			return
		}
		c := Call{Name: name, TaskID: r.PathValue("id"), Query: r.URL.RawQuery, Body: body, At: m.clock.Now()}
		m.mu.Lock()
		key := nthKey{name, c.TaskID}
		m.nth[key]++
		c.Nth = m.nth[key]
		hook := m.hook
		m.mu.Unlock()
		var f Fault
		if hook != nil {
			f = hook(c)
		}
		c.Fault = f.Kind

		var a answer
		m.mu.Lock()
		if k := m.tasks[c.TaskID]; k != nil {
			c.From = k.Status
		}
		switch {
		case f.Kind.before():
			a = f.instead()
		case subtle.ConstantTimeCompare([]byte(r.Header.Get("X-API-Key")), []byte(m.APIKey)) != 1:
			a = refuse(http.StatusUnauthorized, "invalid API key")
		case len(body) > maxBody:
			a = refuse(http.StatusRequestEntityTooLarge, "the body is larger than %d bytes", maxBody)
		default:
			a = m.apply(c, r)
		}
		c.To, c.Applied, c.Status = c.From, a.applied, a.status
		if k := m.tasks[c.TaskID]; k != nil {
			c.To = k.Status
		}
		text := encode(a.body)
		c.Answer = text[:min(len(text), maxRecorded)]
		c.N = len(m.calls) + 1
		m.calls = append(m.calls, c)
		if k := m.tasks[c.TaskID]; k != nil {
			k.calls = append(k.calls, len(m.calls)-1)
			if a.applied && name == CallFail {
				m.requeue(k)
			}
		}
		m.mu.Unlock()
		m.sig.changed()
		f.send(w, r, a.status, text)
	}
}

// apply is the protocol. m.mu is held.
func (m *Manager) apply(c Call, r *http.Request) answer {
	if c.Name == CallList {
		return m.list(r.URL.Query())
	}
	k := m.tasks[c.TaskID]
	if k == nil || k.deleted {
		return refuse(http.StatusNotFound, "task not found")
	}
	switch c.Name {
	case CallGet:
		shown, err := k.shown()
		if err != nil {
			return refuse(http.StatusInternalServerError, "%v", err)
		}
		return answer{status: http.StatusOK, body: map[string]any{"success": true, "data": shown}}
	case CallStart:
		return m.start(k)
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return refuse(http.StatusUnsupportedMediaType, "Content-Type must be application/json")
	}
	var b report
	if why := b.decode(c.Body); why != "" {
		return refuse(m.refusal, "%s", why)
	}
	if c.Name == CallComplete {
		return m.complete(k, b)
	}
	return m.fail(k, b)
}

func (m *Manager) list(q url.Values) answer {
	limit, status := 5, q.Get("status")
	if q.Has("limit") {
		n, err := strconv.Atoi(q.Get("limit"))
		if err != nil || n < 1 || n > 1000 {
			return refuse(m.refusal, "limit must be a number from 1 to 1000")
		}
		limit = n
	}
	if q.Has("status") && status != StateRegister && status != StateConnect {
		return refuse(m.refusal, "status must be register or connect")
	}
	data := []json.RawMessage{}
	show := func(k *managed) {
		if shown, err := k.shown(); err == nil && len(data) < limit {
			data = append(data, shown)
		}
	}
	for _, id := range m.also {
		if k := m.tasks[id]; k != nil && (!k.queued || k.deleted) {
			show(k)
		}
	}
	keep := m.queue[:0]
	for i, k := range m.queue {
		if len(data) >= limit {
			keep = append(keep, m.queue[i:]...)
			break
		}
		if k.deleted || (k.Status != StateRegister && k.Status != StateConnect) {
			k.queued = false
			continue
		}
		keep = append(keep, k)
		if status == "" || status == k.Status {
			show(k)
		}
	}
	clear(m.queue[len(keep):])
	m.queue = keep
	return answer{status: http.StatusOK, body: map[string]any{"success": true, "data": data}}
}

func (m *Manager) start(k *managed) answer {
	if k.Taken && k.Status == StateRegister {
		k.Status = StateRegistering // another worker's doing, not this call's
	}
	switch {
	case k.Status == StateRegister:
		k.Status = StateRegistering
	case k.Status == StateConnect && m.connect == ConnectSupported:
		k.Status = StateConnecting
	default:
		return refuse(m.refusal, "task status must be register to start, it is %s", k.Status)
	}
	return answer{status: http.StatusOK, body: map[string]any{"success": true}, applied: true}
}

func (m *Manager) complete(k *managed, b report) answer {
	to := map[string]string{StateRegistering: StateProfiled, StateConnecting: StateCompleted}[k.Status]
	if to == "" {
		return refuse(m.refusal, "task status must be registering to complete, it is %s", k.Status)
	}
	if b.LinkProfile == "" {
		return refuse(m.refusal, "link_profile is required")
	}
	if u, err := url.Parse(b.LinkProfile); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return refuse(m.refusal, "link_profile must be an http or https URL")
	}
	k.Status, k.result = to, b.Result
	k.result.ErrorMessage = ""
	return answer{status: http.StatusOK, body: map[string]any{"success": true}, applied: true}
}

func (m *Manager) fail(k *managed, b report) answer {
	allowed := map[string][]string{
		StateRegistering: {StateRegisterFailed, StateProfileFailed},
		StateConnecting:  {StateConnectFailed},
	}[k.Status]
	if allowed == nil {
		return refuse(m.refusal, "task status must be registering to fail, it is %s", k.Status)
	}
	if strings.TrimSpace(b.ErrorMessage) == "" {
		return refuse(m.refusal, "error_message is required")
	}
	if n := utf8.RuneCountInString(b.ErrorMessage); n > 1000 {
		return refuse(m.refusal, "error_message must be at most 1000 characters, it has %d", n)
	}
	to := allowed[0]
	if b.Status != "" {
		if !slices.Contains(allowed, b.Status) {
			return refuse(m.refusal, "status must be one of %s", strings.Join(allowed, ", "))
		}
		to = b.Status
	}
	k.Status, k.result = to, Result{ErrorMessage: b.ErrorMessage, Note: b.Note}
	return answer{status: http.StatusOK, body: map[string]any{"success": true}, applied: true}
}

// report is the body of complete and fail.
type report struct {
	Result
	Status string `json:"status"`
}

// decode says why the body is refused, "" when it is not.
func (b *report) decode(body []byte) string {
	if !utf8.Valid(body) {
		return "the body is not UTF-8"
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(b); err != nil {
		return "the body is not the JSON object of this call: " + err.Error()
	}
	if _, err := d.Token(); err != io.EOF {
		return "the body has something after the JSON object"
	}
	return ""
}

func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return []byte(`{"success":false,"message":"the answer can't be encoded"}`)
	}
	return b.Bytes()
}

func sendJSON(w http.ResponseWriter, a answer) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(a.status)
	w.Write(encode(a.body))
}
