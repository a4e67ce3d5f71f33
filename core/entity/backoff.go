package entity

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// Backoff says how long to wait before a call is made again.
type Backoff struct {
	Min time.Duration // upper bound of the first wait
	Max time.Duration // upper bound of every wait
}

// After returns the wait that follows the failed try number try, counted from
// 1: evenly random between zero and a bound that doubles from Min to Max, so that
// runners which failed together don't return together. When err carries the
// server's own wish, the wait is that long at least, plus up to Min.
func (b Backoff) After(try int, err error) time.Duration {
	bound := max(b.Min, 1)
	for range min(max(try, 1)-1, 62) {
		if bound >= b.Max/2 {
			bound = max(b.Max, 1)
			break
		}
		bound *= 2
	}
	bound = max(min(bound, b.Max), 1)
	var t *core.TransientError
	if errors.As(err, &t) && t.RetryAfter > 0 {
		return t.RetryAfter + rand.N(max(b.Min, 1)+1)
	}
	return rand.N(bound + 1)
}
