//go:build !linux

package main

import (
	"time"

	"github.com/rollcall-run/rollcall/core"
)

var (
	processBegan = time.Now()
	processID    = "process " + owner()
)

// bootMoment is the time since this process began: the clock is believed no
// longer than the process lives.
func bootMoment() core.Moment { return core.Moment{Boot: processID, At: time.Since(processBegan)} }
