package plugins

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// WorkerData is the usual limit of a worker's data segment, in bytes. It stops
// a single huge allocation at once; the runner watches the rest.
const WorkerData = 512 << 20

// workerFiles is how many descriptors a worker may have open.
const workerFiles = 1024

// Confine limits the calling process for the rest of its life: at most data
// bytes of private memory (0: no limit), no core dump, no reading of its memory
// by others of the same user, a bound on descriptors. A worker calls it first
// thing in main. No-new-privs is the starter's part and is checked here when the
// process was started as a plugin.
func Confine(data uint64) error {
	limits := []struct {
		name string
		kind int
		max  uint64
	}{{"RLIMIT_CORE", unix.RLIMIT_CORE, 0}, {"RLIMIT_NOFILE", unix.RLIMIT_NOFILE, workerFiles}}
	if data > 0 {
		limits = append(limits, struct {
			name string
			kind int
			max  uint64
		}{"RLIMIT_DATA", unix.RLIMIT_DATA, data})
	}
	for _, l := range limits {
		var now unix.Rlimit
		if err := unix.Getrlimit(l.kind, &now); err != nil {
			return fmt.Errorf("confining the worker: reading %s: %w", l.name, err)
		}
		top := min(l.max, now.Max)
		if err := unix.Setrlimit(l.kind, &unix.Rlimit{Cur: top, Max: top}); err != nil {
			return fmt.Errorf("confining the worker: setting %s to %d: %w", l.name, top, err)
		}
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("confining the worker: PR_SET_DUMPABLE: %w", err)
	}
	if os.Getenv(Handshake.MagicCookieKey) == Handshake.MagicCookieValue {
		set, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
		if err != nil || set != 1 {
			return fmt.Errorf("confining the worker: it was started without no-new-privs (%d, %v)", set, err)
		}
	}
	return dropBinary()
}

// dropBinary closes the descriptor through which the process was executed, if
// it was: the first one after the standard streams.
func dropBinary() error {
	var self, first unix.Stat_t
	if unix.Stat("/proc/self/exe", &self) != nil || unix.Fstat(3, &first) != nil {
		return nil
	}
	if self.Dev == first.Dev && self.Ino == first.Ino {
		return unix.Close(3)
	}
	return nil
}
