//go:build !race

package ledger_test

// slower is by how much a test does less where the race detector makes it slow.
const slower = 1
