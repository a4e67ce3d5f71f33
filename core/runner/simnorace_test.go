//go:build !race

package runner_test

// simDefault is how many lives TestSimulation simulates.
const (
	simDefault    = 10_000
	outboxDefault = 500 // reports of TestOutboxUnderFaults
)
