package main

import "testing"

func TestTheHeapGrowsByWhatIsCollected(t *testing.T) {
	for _, c := range []struct{ live, texts, want int }{
		{10 << 20, 0, 100},
		{80 << 20, 40 << 20, 50},
		{40 << 20, 39 << 20, 25},
		{1 << 20, 2 << 20, 25}, // texts that no collection has counted yet
		{0, 0, 100},
	} {
		if got := besides(c.live, c.texts); got != c.want {
			t.Errorf("%+v gives %d", c, got)
		}
	}
}
