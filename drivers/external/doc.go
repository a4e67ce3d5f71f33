// Package external runs drivers in processes of their own: workers, which serve
// every Lua driver and are started from rollcall's own binary, and plugins,
// which are other people's programs.
//
// A slot has one worker process, started when it is first needed and used for
// one task after another. What a driver does wrong costs its own attempt: the
// process group is killed when memory, time or output run over, and the next
// task of the slot gets a new process. Every death is a *core.Fault that says
// how it came and what the process last wrote.
//
// # Confinement
//
// A process gets no environment but what go-plugin needs, /dev/null as standard
// input, the root directory to stand in, and no-new-privs. When rollcall runs as
// root each slot has an unprivileged user and group of its own, without
// supplementary groups. The sockets of a process are in a directory that only
// it and the runner can enter.
//
// All processes are forked by one thread that lives as long as the Host. That
// thread carries no-new-privs, which its children inherit, and its end is what
// the kernel kills them on: after a SIGKILL of rollcall nothing is left.
//
// A plugin of a root runner also gets a process id namespace of its own, whose
// members end with it, even those that left its process group. Without root such
// a runaway is out of reach.
//
// A root runner executes the binary through a descriptor and not by its path, so
// that it may lie where the unprivileged user can't go, and so that a swapped
// file is not what runs.
package external
