package main

import (
	"fmt"
	"time"
)

// stamp is a time for people and for sorting: UTC, to the second.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// when is a time as the distance from now and as itself; "-" for none.
func when(now, t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return apart(now, t) + " (" + stamp(t) + ")"
}

// apart is the distance of t from now: "in 5m", "3h12m ago", "now".
func apart(now, t time.Time) string {
	switch d := t.Sub(now); {
	case d >= time.Second:
		return "in " + span(d)
	case d <= -time.Second:
		return span(-d) + " ago"
	}
	return "now"
}

// span is a length of time in at most two units.
func span(d time.Duration) string {
	two := func(a int, x string, b int, y string) string {
		if b == 0 {
			return fmt.Sprintf("%d%s", a, x)
		}
		return fmt.Sprintf("%d%s%d%s", a, x, b, y)
	}
	s := int(d.Round(time.Second) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return two(s/60, "m", s%60, "s")
	case s < 48*3600:
		return two(s/3600, "h", s%3600/60, "m")
	}
	return two(s/86400, "d", s%86400/3600, "h")
}
