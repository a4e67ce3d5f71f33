package browser

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// status makes the error of a document that was answered with an error status.
func (p *Page) status(status int, page *pageInfo) error {
	p.mu.Lock()
	a := p.st.answers[p.st.loader]
	p.mu.Unlock()
	if a.status != status {
		a = answer{status: status}
	}
	return p.statusOf(a, page)
}

// statusNow is the status of the document: the page's own word, else what the
// network told.
func (p *Page) statusNow(page int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if page == 0 {
		return p.st.answers[p.st.loader].status
	}
	return page
}

func (p *Page) statusOf(a answer, page *pageInfo) error {
	reason := fmt.Sprintf("the site answered %d %s", a.status, http.StatusText(a.status))
	switch {
	case a.status == http.StatusTooManyRequests:
		return &SiteAnswer{core.Outcome{Status: core.Waiting, Code: core.RateLimited, Reason: reason, After: retryAfter(a.retry)}}
	case a.status >= 500:
		return &SiteAnswer{core.Outcome{Status: core.Waiting, Code: core.SiteDown, Reason: reason, After: retryAfter(a.retry)}}
	}
	code := core.HTTPError
	if at, err := url.Parse(a.url); err == nil && a.url != "" && a.status == http.StatusForbidden && !p.allowed(at.String()) {
		code, reason = core.HostRefused, "the host "+at.Hostname()+" is not one of the site's: declare it in hosts"
	}
	return &core.Fault{Code: code, Why: reason, Detail: page.String()}
}

// retryAfter reads the header: seconds or a date. Zero when it says nothing.
func retryAfter(s string) time.Duration {
	if n, err := strconv.Atoi(strings.TrimSpace(s)); err == nil && n >= 0 {
		return min(time.Duration(min(n, 1<<20))*time.Second, core.MaxAfter)
	}
	if t, err := http.ParseTime(s); err == nil {
		return max(0, min(time.Until(t), core.MaxAfter))
	}
	return 0
}
