//go:build !linux

package plugins

import "errors"

// WorkerData is the usual limit of a worker's data segment, in bytes.
const WorkerData = 512 << 20

// Confine limits the calling process. Only Linux can.
func Confine(uint64) error {
	return errors.New("workers are confined on Linux only")
}
