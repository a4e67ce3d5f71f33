// Package text turns a task's rich text into what a site's field accepts, and
// answers the small questions about text that drivers and the runner share:
// which network a link belongs to, whether a page says one of some phrases,
// which username or password a site's limits allow.
//
// Everything here is pure but [Password], which draws on crypto/rand. The input
// is hostile: no function panics, and no text can bring markup of its own into
// a target format. What a format can't express degrades to its text.
package text
