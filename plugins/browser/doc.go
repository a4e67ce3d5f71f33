// Package browser gives a compiled driver the page of its session, with the
// verbs of the Lua API under the same names and rules, so that a driver in Go
// reads line for line like one in Lua:
//
//	page.Open("/login", browser.Signs{"form": "#login"})
//	page.Fill("#user", task.Get("username"))
//	seen, said := page.Click("#go", browser.Signs{"inside": "#logout", "refused": ".error"})
//
// No verb returns an error. The first one that fails is kept: every verb after
// it does nothing and returns zero values, and Finish, which New calls for the
// driver, makes the phase's error of it. A loop that waits for a verb to say
// something else has to look at Err.
//
// An answer that ends a phase by itself ends the page in the same way: 429 and
// 5xx, a mail that has not come, a person who is not there.
package browser
