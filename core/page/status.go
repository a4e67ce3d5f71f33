package page

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// Answer is how a document was answered.
type Answer struct {
	Status int
	Retry  string // Retry-After
	URL    string
}

// Fault makes the error of a document that was answered with an error status:
// what the site means by 429 and 5xx, else a fault that shows detail.
func (s Site) Fault(a Answer, detail string) error {
	reason := fmt.Sprintf("the site answered %d %s", a.Status, http.StatusText(a.Status))
	switch {
	case a.Status == http.StatusTooManyRequests:
		return &SiteAnswer{core.Outcome{Status: core.Waiting, Code: core.RateLimited, Reason: reason, After: RetryAfter(a.Retry)}}
	case a.Status >= 500:
		return &SiteAnswer{core.Outcome{Status: core.Waiting, Code: core.SiteDown, Reason: reason, After: RetryAfter(a.Retry)}}
	}
	code := core.HTTPError
	if at, err := url.Parse(a.URL); err == nil && a.URL != "" && a.Status == http.StatusForbidden && !s.Allowed(at.String()) {
		code, reason = core.HostRefused, "the host "+at.Hostname()+" is not one of the site's: declare it in hosts"
	}
	return &core.Fault{Code: code, Why: reason, Detail: detail}
}

// RetryAfter reads the header: seconds or a date. Zero when it says nothing.
func RetryAfter(s string) time.Duration {
	if n, err := strconv.Atoi(strings.TrimSpace(s)); err == nil && n >= 0 {
		return min(time.Duration(min(n, 1<<20))*time.Second, core.MaxAfter)
	}
	if t, err := http.ParseTime(s); err == nil {
		return max(0, min(time.Until(t), core.MaxAfter))
	}
	return 0
}
