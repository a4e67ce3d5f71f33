//go:build race

package main_test

// raceFlag has the binary under test built like the tests themselves.
const raceFlag = true
