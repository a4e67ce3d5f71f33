//go:build !crashpoints

package runner

// instrument adds nothing: crash points are for test builds.
func instrument(o Options) Options { return o }

func bulkPoint(string) {}
