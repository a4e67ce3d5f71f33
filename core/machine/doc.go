// Package machine says how many tasks this machine can run at once: from its cores
// and its free memory, cgroup limits included, and while the runner works from what
// the kernel tells about memory pressure.
//
// A slot more than two a core makes nothing faster, and a slot without memory makes
// everything slower. Adaptation is of new claims only: nothing that runs is ended.
package machine
