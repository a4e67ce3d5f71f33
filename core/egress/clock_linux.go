package egress

import (
	"time"

	"golang.org/x/sys/unix"
)

// bootTime is CLOCK_BOOTTIME: it goes on while the machine is suspended and
// never jumps.
func bootTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		// Linux has had the clock since 2.6.39; a fence that can't be read is passed.
		return 1<<63 - 1
	}
	return time.Duration(ts.Nano())
}
