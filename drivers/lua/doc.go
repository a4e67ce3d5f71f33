// Package lua is the host of Lua drivers: it loads them strictly, checks them,
// binds the page verbs and runs a phase in a fresh, closed state.
//
// # What a script can reach
//
// A state has its own base, string, table and math functions, written here so
// that each is bounded, and the globals outcome, mail, totp, text and log. There
// is no pcall, no coroutine, no metatable access, no loader, no clock and no
// random source: nothing can catch a broken attempt, and a run depends only on
// its task and its site. require reaches lib.* and nothing else. Globals can't be
// written, and reading an unknown one is an error that names the nearest.
//
// # Why concatenation is a call
//
// The Lua machine joins strings without a bound, so thirty doublings would fill
// the memory of whoever loads a script. The compiler's tree is changed before it
// is compiled: every `..` becomes a call that stops at one megabyte and that
// refuses secrets with a sentence.
//
// # Loading is bounded by counting
//
// A script is loaded in the runner's own process by driver check, so a wall clock
// is not enough. The machine asks its context once per instruction; the context
// of a load counts those questions and stops the script after loadSteps, and the
// library counts the bytes it makes. Depth of nesting is checked before the
// compiler sees the source, because its time grows with the square of it.
package lua
