package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// loadPercent is how much the heap may grow between two collections while scripts
// are loaded: nearly all that loading makes stays, so that there is little to
// collect, and a heap of thousands of scripts does not get twice its size.
const loadPercent = 25

// collectOften collects garbage often until done is called, and from then on as
// often as if the *texts bytes of scripts were not there: they take room, but a
// collection does not walk them. An operator's GOGC goes before.
func collectOften(texts *int) (done func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	debug.SetGCPercent(loadPercent)
	return func() {
		runtime.GC()
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(live)
		debug.SetGCPercent(besides(int(live[0].Value.Uint64()), *texts))
	}
}

// besides is which percentage of a heap of live bytes is no text, and loadPercent
// at least.
func besides(live, texts int) int {
	if live <= 0 {
		return 100
	}
	return max(loadPercent, 100*max(live-texts, 0)/live)
}
