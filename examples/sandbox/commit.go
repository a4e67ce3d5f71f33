package sandbox

import (
	"cmp"
	"net/http"
	"time"
)

// CommitKind is what a site does with a POST of its sign-up form.
type CommitKind string

// The kinds.
const (
	CommitNormal    CommitKind = ""
	Commit500       CommitKind = "commit_500"     // account made, then 500
	CommitHang      CommitKind = "commit_hang"    // account made, no answer
	CommitReset     CommitKind = "commit_reset"   // account made, connection reset
	CommitLate      CommitKind = "commit_late"    // 504 at once, account made after Delay
	CommitSlow      CommitKind = "commit_slow"    // account made, answered after Delay
	CloseReused     CommitKind = "close_reused"   // a re-used connection is closed before any header; a fresh one is served
	ResetReused     CommitKind = "reset_reused"   // the same with RST
	RefuseTaken     CommitKind = "refuse_taken"   // the name is taken
	RefuseWeak      CommitKind = "refuse_weak"    // the password is too weak
	RefuseInvalid   CommitKind = "refuse_invalid" // the e-mail is not liked
	RefuseTooMany   CommitKind = "too_many"       // 429 with RetryAfter
	RefuseDown      CommitKind = "down"           // 503
	RefuseError     CommitKind = "error"          // 500, no account
	RefuseHang      CommitKind = "hang"           // no account, no answer
	RefuseForbidden CommitKind = "forbidden"      // 403, no account
)

// CommitKinds lists every kind but CommitNormal.
var CommitKinds = []CommitKind{Commit500, CommitHang, CommitReset, CommitLate, CommitSlow, CloseReused, ResetReused,
	RefuseTaken, RefuseWeak, RefuseInvalid, RefuseTooMany, RefuseDown, RefuseError, RefuseHang, RefuseForbidden}

// CommitFault is what a site does with one POST of its sign-up form.
type CommitFault struct {
	Kind       CommitKind
	Delay      time.Duration // CommitLate (of the sandbox's clock), CommitSlow (of real time)
	RetryAfter string        // RefuseTooMany, RefuseDown
	Commit     bool          // CloseReused, ResetReused: the account is made before the connection goes
}

// OnCommit sets the hook that decides what becomes of each POST of the sign-up
// form; nil ends it. The hook may be called from several goroutines.
func (s *Site) OnCommit(hook func(Submit) CommitFault) {
	s.mu.Lock()
	s.onCommit = hook
	s.mu.Unlock()
}

// commit takes a valid sign-up through its fault. create makes the account or
// says why not, in the site's words, and may be called later. It returns the
// account and whether the caller still has to answer.
func (s *Site) commit(w http.ResponseWriter, r *http.Request, index int, f CommitFault, create func() (*Account, string)) (*Account, string, bool) {
	c := wireOf(r)
	visited := base(r)
	made := func() (*Account, string) {
		s.mu.Lock()
		a, why := create()
		var copied Account
		if a != nil {
			s.submits[index].Account = a.Username
			copied = a.clone()
		}
		s.mu.Unlock()
		s.sig.changed()
		if a != nil && s.announce != nil {
			s.announce(copied, visited)
		}
		return a, why
	}
	refuse := func(status int, say string) (*Account, string, bool) {
		if f.RetryAfter != "" {
			w.Header().Set("Retry-After", f.RetryAfter)
		}
		http.Error(w, say, status)
		return nil, "", false
	}
	switch f.Kind {
	case Commit500:
		made()
		return refuse(http.StatusInternalServerError, "Internal Server Error")
	case CommitHang, RefuseHang:
		if f.Kind == CommitHang {
			made()
		}
		<-r.Context().Done()
		c.hangUp()
	case CommitReset:
		made()
		c.reset()
	case CommitLate:
		stop := s.clock.AfterFunc(f.Delay, func() { made() })
		s.mu.Lock()
		s.stops = append(s.stops, stop)
		s.mu.Unlock()
		return refuse(http.StatusGatewayTimeout, "Gateway Timeout")
	case CommitSlow:
		a, why := made()
		return a, why, pause(r, f.Delay)
	case CloseReused, ResetReused:
		if !s.reused(index) {
			break
		}
		if f.Commit {
			made()
		}
		if f.Kind == ResetReused {
			c.reset()
		}
		c.hangUp()
	case RefuseTaken, RefuseWeak, RefuseInvalid:
		return nil, s.wording(f.Kind), true
	case RefuseTooMany:
		f.RetryAfter = cmp.Or(f.RetryAfter, "60")
		return refuse(http.StatusTooManyRequests, "Too many sign-ups from your network. Try again later.")
	case RefuseDown:
		return refuse(http.StatusServiceUnavailable, "Service Unavailable")
	case RefuseError:
		return refuse(http.StatusInternalServerError, "Internal Server Error")
	case RefuseForbidden:
		return refuse(http.StatusForbidden, "Forbidden")
	}
	a, why := made()
	return a, why, true
}

func (s *Site) reused(index int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.submits[index].Reused
}

// wording is how the site says a refusal.
func (s *Site) wording(k CommitKind) string {
	if s.Name == "community" {
		return map[CommitKind]string{
			RefuseTaken:   "Email này đã được đăng ký.",
			RefuseWeak:    "Mật khẩu quá yếu.",
			RefuseInvalid: "Email không hợp lệ.",
		}[k]
	}
	return map[CommitKind]string{
		RefuseTaken:   "That username is already taken.",
		RefuseWeak:    "The password is too weak: use at least 8 characters with a letter and a digit.",
		RefuseInvalid: "Enter a valid email address.",
	}[k]
}
