//go:build linux && race

package external

// The race detector's own memory counts as data: no limit can be set on it.
const (
	dataLimit = 0
	raceMB    = 400
)
