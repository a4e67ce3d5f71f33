package runner

import (
	"errors"
	"fmt"
	"strings"

	"github.com/rollcall-run/rollcall/core"
)

// How a call ends.
const (
	endDone      = "done"
	endRefused   = "refused"
	endUncertain = "uncertain"
	endUnsent    = "unsent"
)

// holdFailures is how many users must be refused before their share counts: one
// of one or two is no sign of a bad list. Calls with fewer are judged together
// with the ones before, so that tasks that trickle in are judged as well.
const holdFailures = 3

// holdUncertain is how many times one user goes out without a known outcome
// before a person is asked.
const holdUncertain = 3

// settle turns an answer into the end of every row of the call.
func (b *Bulk) settle(batch core.BulkBatch, results []core.BulkResult, err error) core.BulkEnd {
	end := core.BulkEnd{Domain: b.o.Site.Domain, Batch: batch.ID, How: endDone, Users: batch.Users, Failed: batch.Failed}
	var failed *core.BulkError
	if err != nil && !errors.As(err, &failed) {
		failed = &core.BulkError{Kind: core.BulkCallUncertain, Message: err.Error()}
	}
	if failed == nil {
		b.split(&end, batch, results)
		return end
	}
	end.Message, end.RetryAfter = b.line(failed.Message), failed.RetryAfter
	var state core.BulkState
	switch failed.Kind {
	case core.BulkCallRefused:
		end.How, state = endRefused, core.BulkRefused
	case core.BulkCallDenied:
		end.How, state = endRefused, core.BulkWaiting
		end.Hold = fmt.Sprintf("the token is not accepted (%s); mend it, then: rollcall site resume %s", end.Message, end.Domain)
	case core.BulkCallLater, core.BulkCallUnsent:
		end.How, state = endUnsent, core.BulkWaiting
	default:
		end.How, state = endUncertain, core.BulkUncertain
	}
	for _, r := range batch.Rows {
		e := core.BulkRowEnd{ID: r.ID, State: state, Message: end.Message}
		if r.Uncertain && r.TaskID != "" && state == core.BulkRefused {
			e.State = core.BulkUncertain // this call made nothing; an earlier one may have
		}
		if e.State == core.BulkUncertain && r.Sends >= holdUncertain && end.Hold == "" {
			end.Hold = fmt.Sprintf("%d calls in a row had no known outcome (%s); look at the site, then: rollcall site resume %s", r.Sends, end.Message, end.Domain)
		}
		end.Rows = append(end.Rows, e)
	}
	return end
}

// split gives every row of an answered call its own end. A row that the answer
// does not name is uncertain.
func (b *Bulk) split(end *core.BulkEnd, batch core.BulkBatch, results []core.BulkResult) {
	byRow := make(map[string]core.BulkResult, len(results))
	for _, r := range results {
		byRow[r.Row] = r
	}
	count := map[core.BulkState]int{}
	for _, r := range batch.Rows {
		res, ok := byRow[r.ID]
		e := core.BulkRowEnd{ID: r.ID, UserID: res.UserID, Message: b.line(res.Message), Exists: res.Answer == core.BulkExists}
		switch {
		case !ok:
			e.State, e.Message = core.BulkUncertain, "the answer does not name this user"
			if r.Sends >= holdUncertain {
				end.Hold = fmt.Sprintf("%d answers in a row did not name some of the users; look at the site, then: rollcall site resume %s", r.Sends, end.Domain)
			}
		case res.Answer == core.BulkMade && res.UserID != "":
			e.State = core.BulkCreated
		case res.Answer == core.BulkMade, res.Answer == core.BulkExists && r.Uncertain:
			e.State = core.BulkUnconfirmed
		default:
			e.State = core.BulkFailed
		}
		count[e.State]++
		end.Rows = append(end.Rows, e)
	}
	end.Message = fmt.Sprintf("%d created, %d failed", count[core.BulkCreated], count[core.BulkFailed])
	if n := count[core.BulkUnconfirmed]; n > 0 {
		end.Message += fmt.Sprintf(", %d created_unconfirmed", n)
	}
	if n := count[core.BulkUncertain]; n > 0 {
		end.Message += fmt.Sprintf(", %d uncertain", n)
	}
	b.judge(end, len(batch.Rows), count[core.BulkFailed])
}

// judge holds the next call when too many users were refused: of this call, or of
// it and the calls before it that were too small to tell.
func (b *Bulk) judge(end *core.BulkEnd, users, failed int) {
	bad := func(users, failed int) bool {
		return failed >= holdFailures && float64(failed) > b.o.Site.HoldAbove*float64(users)
	}
	where := "of a batch"
	if !bad(users, failed) {
		users, failed, where = users+end.Users, failed+end.Failed, "of the last batches"
	}
	if end.Users, end.Failed = users, failed; failed >= holdFailures || users >= b.o.Site.Max {
		end.Users, end.Failed = 0, 0 // judged
	}
	if end.Hold == "" && bad(users, failed) {
		end.Hold = fmt.Sprintf("%d of %d users %s were refused (%d%%); look at the list, then: rollcall site resume %s", failed, users, where, 100*failed/users, end.Domain)
	}
}

// line is a site's text in one redacted line.
func (b *Bulk) line(s string) string {
	return strings.Join(strings.Fields(printable(b.o.Redact(s), 300)), " ")
}
