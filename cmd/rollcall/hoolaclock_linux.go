package main

import (
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rollcall-run/rollcall/core"
)

// bootID names this start of the machine.
var bootID = sync.OnceValue(func() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "process " + owner() // its clock is then believed no longer than the process lives
	}
	return strings.TrimSpace(string(id))
})

// bootMoment reads CLOCK_BOOTTIME, which goes on in suspend and never jumps.
func bootMoment() core.Moment {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return core.Moment{Boot: "process " + owner()}
	}
	return core.Moment{Boot: bootID(), At: time.Duration(ts.Nano())}
}
