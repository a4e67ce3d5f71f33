package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// leastPercent is how much a heap may grow between two collections at least. It
	// is enough while scripts are loaded: nearly all that loading makes stays.
	leastPercent = 25
	// roomAlways is how many bytes a heap may grow between two collections where a
	// quarter of it is less, and Go lets it grow as far.
	roomAlways = 16 << 20
)

// collectOften collects garbage often until done is called, and from then on so
// that a heap of thousands of scripts takes little more than what lives in it. A
// small one grows as Go lets it. An operator's GOGC goes before.
func collectOften() (done func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	debug.SetGCPercent(leastPercent)
	return func() {
		runtime.GC()
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(live)
		debug.SetGCPercent(growth(live[0].Value.Uint64()))
	}
}

// growth is how much a heap of live bytes may grow, in percent.
func growth(live uint64) int {
	return int(min(100, max(leastPercent, 100*roomAlways/max(live, 1))))
}
