// Package egress is the one way from a slot's browser to the network: an HTTP
// forward proxy per slot, on a loopback port of its own.
//
// A [Gate] admits only the hosts of the task that runs in the slot. Every name
// is resolved here, every address of the answer is checked, and the connection
// goes to exactly the address that was checked, so a name that changes its
// answer gains nothing. Addresses of private networks are refused unless they
// are those of the site's own configured base address.
//
// The gate is also the fence of the task's lease. The clock is read before each
// system call that sends a byte to the site and after each one that reads a
// byte, so that a process that was paused past its deadline finds itself fenced
// before it forwards anything.
//
// # One request, once
//
// Chromium sends a request again by itself when a connection that it uses for
// the second time dies before the headers of the answer. Two rules keep a
// sign-up from being sent twice. A plain request that fails is answered with
// 502, never by cutting the browser's connection, and what is neither GET nor
// HEAD goes to the site over a connection of its own that is never tried again.
// A tunnel can't be looked into, so after DropIdle a tunnel that fell silent
// takes no further bytes: it is cut before the next one is forwarded, and the
// browser turns to a new tunnel.
package egress
