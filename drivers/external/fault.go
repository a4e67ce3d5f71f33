//go:build linux

package external

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/plugins"
)

// fault returns a copy of f with its phase.
func fault(f *core.Fault, phase core.Phase) *core.Fault {
	c := *f
	if c.Phase == "" {
		c.Phase = phase
	}
	return &c
}

// own is the driver's own error, a fault with its phase and all else that it is.
func own(err error, phase core.Phase) error {
	f, ok := errors.AsType[*core.Fault](err)
	if !ok || f.Phase != "" {
		return err
	}
	if plain, ok := err.(*core.Fault); ok {
		return fault(plain, phase)
	}
	return &placed{fault(f, phase), err}
}

// placed is a Fault with its phase that stays what it was.
type placed struct {
	*core.Fault
	cause error
}

func (p *placed) Unwrap() []error { return []error{p.Fault, p.cause} }

// ended is the fault of a run whose context is over. The place that the driver
// reported is kept; why it ended is the context's word.
func ended(ctx context.Context, err error, phase core.Phase) *core.Fault {
	f := &core.Fault{Why: err.Error()}
	if have, ok := errors.AsType[*core.Fault](err); ok {
		c := *have
		f = &c
	}
	switch f.Why {
	case context.DeadlineExceeded.Error():
		f.Why = "the phase's time was over"
	case context.Canceled.Error():
		f.Why = "the phase was cancelled"
	}
	cause := context.Cause(ctx)
	if own, ok := errors.AsType[*core.Fault](cause); ok {
		f.Code = own.Code
		if f.Place == "" {
			f.Why = own.Why
		}
	} else if errors.Is(cause, context.DeadlineExceeded) {
		f.Code = core.Timeout
	} else {
		f.Code = core.Cancelled
	}
	return fault(f, phase)
}

// broken reports whether err says that the connection or the contract broke,
// rather than being the driver's own word.
func broken(err error) bool {
	if err == nil {
		return false
	}
	_, ok := status.FromError(err)
	return ok
}

// outOfMemory are the words with which the Go runtime gives up.
var outOfMemory = []string{"runtime: out of memory", "cannot allocate memory", "out of memory allocating heap arena metadata"}

// death says how a process ended that did not answer.
func (s *slot) death(ctx context.Context, p *process, err error, phase core.Phase) *core.Fault {
	f := &core.Fault{Phase: phase, Code: core.Crashed, Detail: p.tail.String()}
	name := p.program.name
	switch p.reason() {
	case killMemory:
		f.Code, f.Why = core.OutOfMemory, fmt.Sprintf("%s used more than %d MB of memory and was killed", name, s.host.opt.MemoryMB)
	case killOutput:
		f.Code, f.Why = core.DriverError, fmt.Sprintf("%s wrote more than %d kB in one run and was killed", name, s.host.opt.OutputLimit>>10)
	case killOverrun:
		f.Why = fmt.Sprintf("%s did not stop within %v of being told to, and was killed", name, s.host.opt.Grace)
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			f.Why = fmt.Sprintf("%s ran %v past its deadline and was killed", name, s.host.opt.Grace)
		}
		f = ended(ctx, f, phase)
	case killClosed:
		f.Code, f.Why = core.Cancelled, errClosed.Error()
	case killSick:
		f.Why = fmt.Sprintf("%s did not answer two health checks of %v each and was killed", name, s.host.opt.HealthWithin)
	case killBroken:
		// The process was alive: what it answered broke the contract.
		f.Code, f.Why = core.DriverError, contract(name, err)
		if c := status.Code(err); c == codes.Unavailable || c == codes.Canceled {
			f.Code, f.Why = core.Crashed, name+" closed its connection in the middle of a run"
		}
	default:
		f.Code, f.Why = exit(name, p)
	}
	s.host.log.Warn("worker ended", "program", name, "slot", s.name, "pid", p.pid, "phase", phase, "fault", string(f.Code), "why", f.Why)
	return f
}

// contract says in one line what a status without an error of ours means.
func contract(name string, err error) string {
	st := status.Convert(err)
	switch st.Code() {
	case codes.ResourceExhausted:
		return name + ": a message is larger than 16 MB: " + st.Message()
	case codes.Unimplemented:
		return name + " does not serve this call; " + plugins.Rebuild
	}
	return name + " broke the contract: " + st.Message()
}

// exit says how a process ended by itself.
func exit(name string, p *process) (core.FaultCode, string) {
	tail := p.tail.String()
	ws, ok := p.state.Sys().(syscall.WaitStatus)
	if !ok {
		return core.Crashed, name + " ended: " + p.state.String()
	}
	if ws.Signaled() {
		why := fmt.Sprintf("%s was killed by signal %d (%v)", name, ws.Signal(), ws.Signal())
		switch {
		case ws.Signal() == syscall.SIGSEGV && strings.TrimSpace(tail) == "":
			// What is left when the runtime can't even allocate its own stack.
			return core.OutOfMemory, why + ", which is how running out of memory shows"
		case ws.Signal() == syscall.SIGKILL:
			return core.Crashed, why + ", not by rollcall: a person, or the kernel for want of memory"
		}
		return core.Crashed, why
	}
	if ws.ExitStatus() == 2 {
		for _, words := range outOfMemory {
			if strings.Contains(tail, words) {
				return core.OutOfMemory, name + " ran out of memory"
			}
		}
	}
	why := fmt.Sprintf("%s ended with exit status %d", name, ws.ExitStatus())
	if line := telling(tail); line != "" {
		why += ": " + line
	}
	return core.Crashed, why
}

// telling is the line of an output that says most: the panic, else the last one.
func telling(tail string) string {
	last := ""
	for line := range strings.Lines(tail) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			last = line
			break
		}
		if line != "" {
			last = line
		}
	}
	if len(last) > 300 {
		last = strings.ToValidUTF8(last[:300], "") + "…"
	}
	return last
}
