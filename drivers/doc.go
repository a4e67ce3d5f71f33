// Package drivers knows which driver serves a domain, and why.
//
// A Set reads the driver scripts of the operator's folders and the bundled ones,
// and binds them to the configured sites. A script is known by its file's name,
// which its manifest repeats: an own file replaces the bundled one of that name.
// A site runs only when the operator allowed it. Its driver is the one that the
// site names, else the one that names the domain; two that name one domain serve
// neither until the site chooses.
//
// # Changes
//
// Folders are watched. A changed file is validated before it replaces anything;
// a broken one leaves the old version in place and is reported with its line.
// Answers are swapped as a whole, so that no reader sees half a change, and
// earlier versions stay readable by their digest for tasks under way.
//
// # Ten thousand scripts
//
// Compiling a script takes a hundred times as long as reading it, so manifests
// are cached in one file under the SHA-256 of the text, of all lib files and of
// the build. A start with a warm cache reads and hashes, and compiles nothing.
package drivers
