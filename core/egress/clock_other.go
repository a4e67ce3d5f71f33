//go:build !linux

package egress

import (
	"time"

	"golang.org/x/sys/unix"
)

// bootTime is CLOCK_MONOTONIC, which macOS keeps running while it sleeps.
func bootTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 1<<63 - 1
	}
	return time.Duration(ts.Nano())
}
