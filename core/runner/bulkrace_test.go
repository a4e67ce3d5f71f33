//go:build race

package runner_test

// simDays is how long TestBulkSimulation lets its runners live.
const simDays = 40
