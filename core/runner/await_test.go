package runner

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestChangesAreLookedAtTogether(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name             string
		due, change, end time.Duration // since the look
	}{
		{"nothing changes", 300 * ms, 500 * ms, 300 * ms},
		{"a change right after the look", 300 * ms, 1 * ms, rest},
		{"a change later", 300 * ms, 100 * ms, 100 * ms},
		{"what is due does not wait for that", 5 * ms, 1 * ms, 5 * ms},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				changed := make(chan struct{}, 1)
				time.AfterFunc(c.change, func() { changed <- struct{}{} })
				looked := time.Now()
				await(c.due, looked, changed, func(due <-chan time.Time, changed <-chan struct{}) bool {
					select {
					case <-changed:
						return true
					case <-due:
						return false
					}
				})
				if took := time.Since(looked); took != c.end {
					t.Errorf("ended after %v, want %v", took, c.end)
				}
			})
		})
	}
}
