package sandbox

import (
	"cmp"
	"net/http"
	"strconv"
	"time"
)

// FaultKind is a way in which a call to the task manager goes wrong.
type FaultKind string

// The kinds. Before and after say whether the call took effect; the others
// state it.
const (
	NoFault       FaultKind = ""
	DropBefore    FaultKind = "drop_before"  // connection cut, no effect
	DropAfter     FaultKind = "drop_after"   // connection cut, effect
	ErrorBefore   FaultKind = "error_before" // Status, 500 by default, no effect
	ErrorAfter    FaultKind = "error_after"  // Status, 500 by default, effect
	HangBefore    FaultKind = "hang_before"  // no answer, no effect
	HangAfter     FaultKind = "hang_after"   // no answer, effect
	TooMany       FaultKind = "too_many"     // 429 with RetryAfter, no effect
	HTMLPage      FaultKind = "html"         // 200 with a page, no effect
	Redirected    FaultKind = "redirect"     // 307 to Location, no effect
	Unauthorized  FaultKind = "unauthorized" // 401, no effect
	Forbidden     FaultKind = "forbidden"    // 403, no effect
	TruncatedBody FaultKind = "truncated"    // effect, half of the body, then cut
	EndlessBody   FaultKind = "endless"      // effect, a body without end
	SlowBody      FaultKind = "slow"         // effect, a byte of the body every Delay
	Latency       FaultKind = "latency"      // effect, the whole answer after Delay
)

// FaultKinds lists every kind.
var FaultKinds = []FaultKind{DropBefore, DropAfter, ErrorBefore, ErrorAfter, HangBefore, HangAfter, TooMany, HTMLPage,
	Redirected, Unauthorized, Forbidden, TruncatedBody, EndlessBody, SlowBody, Latency}

// Fault is what goes wrong with one call.
type Fault struct {
	Kind       FaultKind
	Status     int           // ErrorBefore, ErrorAfter
	RetryAfter string        // TooMany; also ErrorBefore and ErrorAfter when set
	Delay      time.Duration // SlowBody, Latency
	Location   string        // Redirected
}

// before reports whether the kind keeps the call from taking effect.
func (k FaultKind) before() bool {
	switch k {
	case DropBefore, ErrorBefore, HangBefore, TooMany, HTMLPage, Redirected, Unauthorized, Forbidden:
		return true
	}
	return false
}

// instead is the answer of a fault that keeps the call from taking effect.
func (f Fault) instead() answer {
	switch f.Kind {
	case ErrorBefore:
		return refuse(cmp.Or(f.Status, http.StatusInternalServerError), "internal error")
	case TooMany:
		return refuse(http.StatusTooManyRequests, "too many requests")
	case Unauthorized:
		return refuse(http.StatusUnauthorized, "invalid API key")
	case Forbidden:
		return refuse(http.StatusForbidden, "this key may not do that")
	case Redirected:
		return answer{status: http.StatusTemporaryRedirect}
	case HTMLPage:
		return answer{status: http.StatusOK}
	}
	return answer{}
}

// send writes the answer, or what the fault makes of it.
func (f Fault) send(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	if f.RetryAfter != "" {
		h.Set("Retry-After", f.RetryAfter)
	}
	switch f.Kind {
	case DropBefore, DropAfter:
		wireOf(r).reset()
	case HangBefore, HangAfter:
		<-r.Context().Done()
		wireOf(r).reset()
	case ErrorAfter:
		status, body = cmp.Or(f.Status, http.StatusInternalServerError), encode(refuse(0, "internal error").body)
	case HTMLPage:
		h.Set("Content-Type", "text/html; charset=utf-8")
		body = []byte("<!doctype html><title>Maintenance</title><h1>We will be back soon</h1>\n")
	case Redirected:
		h.Set("Location", f.Location)
		body = nil
	case TruncatedBody:
		h.Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(status)
		w.Write(body[:len(body)/2])
		http.NewResponseController(w).Flush()
		wireOf(r).hangUp()
	case EndlessBody:
		w.WriteHeader(status)
		w.Write([]byte(`{"success":true,"message":"`))
		chunk := make([]byte, 32<<10)
		for i := range chunk {
			chunk[i] = 'x'
		}
		for r.Context().Err() == nil {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
		return
	case SlowBody:
		w.WriteHeader(status)
		for i := range body {
			if !pause(r, f.Delay) {
				return
			}
			w.Write(body[i : i+1])
			http.NewResponseController(w).Flush()
		}
		return
	case Latency:
		if !pause(r, f.Delay) {
			return
		}
	}
	w.WriteHeader(status)
	w.Write(body)
}

// pause waits for d and reports whether the client is still there.
func pause(r *http.Request, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}
