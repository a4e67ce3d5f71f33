package external

import (
	"context"
	"time"
)

// monitor asks every so often while ctx lasts, and calls sick once when two
// questions in a row were not answered within the time. One may be lost without
// harm to a runner that was itself stopped while it waited.
func monitor(ctx context.Context, every, within time.Duration, ask func(context.Context) error, sick func()) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		missed := 0
		for missed < 2 && ctx.Err() == nil {
			one, end := context.WithTimeout(ctx, within)
			err := ask(one)
			end()
			if err == nil {
				break
			}
			missed++
		}
		if missed == 2 && ctx.Err() == nil {
			sick()
			return
		}
	}
}
