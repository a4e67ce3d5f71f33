package main

import "testing"

func TestALargeHeapGrowsLess(t *testing.T) {
	for live, want := range map[uint64]int{0: 100, 8 << 20: 100, 16 << 20: 100, 32 << 20: 50, 64 << 20: 25, 1 << 30: 25} {
		if got := growth(live); got != want {
			t.Errorf("%d bytes live: %d percent, want %d", live, got, want)
		}
	}
}
