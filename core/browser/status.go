package browser

import "github.com/rollcall-run/rollcall/core/page"

// status makes the error of a document that was answered with an error status.
func (p *Page) status(status int, info *pageInfo) error {
	p.mu.Lock()
	a := p.st.answers[p.st.loader]
	p.mu.Unlock()
	if a.status != status {
		a = answer{status: status}
	}
	return p.statusOf(a, info)
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

func (p *Page) statusOf(a answer, info *pageInfo) error {
	return p.site().Fault(page.Answer{Status: a.status, Retry: a.retry, URL: a.url}, info.String())
}
