//go:build race

package runner_test

// simDefault is how many lives TestSimulation simulates. The race detector makes
// each ten times as long; `make test` simulates all of them without it besides.
const (
	simDefault    = 300
	outboxDefault = 120 // reports of TestOutboxUnderFaults
)
