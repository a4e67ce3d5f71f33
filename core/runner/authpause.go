package runner

import (
	"errors"
	"sync"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// authPause stops claims and lists while the task manager does not accept the key.
type authPause struct {
	mu    sync.Mutex
	until time.Time
	next  time.Duration
}

func (p *authPause) left() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(time.Until(p.until), 0)
}

func (p *authPause) begin(d, most time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Now().Before(p.until) {
		return time.Until(p.until)
	}
	p.next = min(max(p.next*2, d), most)
	p.until = time.Now().Add(p.next)
	return p.next
}

func (p *authPause) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until, p.next = time.Time{}, 0
}

// unauthorized pauses the runner after a 401 or 403 and says so once per pause.
func (r *Runner) unauthorized(err error) {
	var auth *core.AuthError
	if !errors.As(err, &auth) {
		return
	}
	if r.pausing.left() == 0 {
		d := r.pausing.begin(15*time.Second, 5*time.Minute)
		r.o.Log.Error("the runner is paused: the task manager does not accept the API key; mend [entity] api_key",
			"status", auth.Status, "message", auth.Message, "again_in", d.Round(time.Second))
		r.notice(Notice{Text: "paused: the task manager does not accept the API key (" + auth.Message + ")"})
	}
}
