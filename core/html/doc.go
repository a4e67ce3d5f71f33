// Package html is the engine for plain pages: the verbs of core/page on the
// HTML as it came, without a browser. No script runs, nothing is rendered.
//
// Every request goes through the visit's egress port. What is neither GET nor
// HEAD, and every request of a commit, goes over a connection of its own that is
// never tried again. A verb ends when the answer to what it sent is there: what
// no sign shows then will not show later, so nothing is waited for but an
// answer and a refresh that the page itself announces.
//
// An element is shown unless the HTML says otherwise: the attribute hidden, an
// inline display or visibility, a closed details or dialog, or nothing in it.
// Style sheets are not read. What stands in noscript counts.
//
// Secrets follow the rules of every engine: they go only into password and
// one-time-code inputs of the site's own pages, are looked at again when the
// form is sent, and are never read back. Cookies are the visit's, kept by the
// runner where its services are a core.CookieKeeper.
package html
