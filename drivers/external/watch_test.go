//go:build linux

package external

import (
	"testing"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

func TestAProcessNearItsLimitIsLookedAtSooner(t *testing.T) {
	for _, c := range []struct {
		left int64
		want time.Duration
	}{
		{-1, watchLeast}, {0, watchLeast}, {20 << 20, watchLeast}, {100 << 20, 25 * time.Millisecond},
		{231 << 20, 57 * time.Millisecond}, {4 << 30, watchMost},
	} {
		if got := nextLook(c.left); got != c.want {
			t.Errorf("with %d MB left: %v, want %v", c.left>>20, got, c.want)
		}
	}
}

func TestTheProcessThatReadsManifestsEndsWhenIdle(t *testing.T) {
	h := host(t, func(o *Options) { o.ManifestIdle = time.Millisecond })
	ref, err := sourceOf(core.Binding{Driver: "board"})
	if err != nil {
		t.Fatal(err)
	}
	s := h.Slot(manifestSlot).(*slot)
	process := func() *process {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.processes[h.worker]
	}
	for range 2 {
		if _, err := h.Manifest(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
		p := process()
		select {
		case <-p.gone:
		case <-time.After(time.Minute):
			t.Fatal("the idle process stays")
		}
		if p.reason() != killIdle || p.resident() != 0 {
			t.Errorf("it ended by reason %d and has %d bytes", p.reason(), p.resident())
		}
	}
}
