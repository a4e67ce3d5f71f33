//go:build linux && !race

package external

import "github.com/rollcall-run/rollcall/plugins"

const (
	dataLimit = plugins.WorkerData
	raceMB    = 0
)
