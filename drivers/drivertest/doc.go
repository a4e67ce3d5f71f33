// Package drivertest holds drivers and their hosts to the contract of core.
//
// Run is the suite for any driver: an author calls it in a test, and `rollcall
// driver test` runs it on a built plugin. It serves sites that are down, strange,
// silent or hostile, and looks at what the driver makes of them.
//
// RunHost is Run and the suite for hosts: the driver is then the actor of package
// actor, which does what a task tells it, in Go or in Lua. What holds in one host
// holds in all: there are no options, and no case is left out anywhere.
package drivertest
