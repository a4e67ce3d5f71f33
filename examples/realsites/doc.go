// Package realsites runs the software that drivers are written for, DokuWiki,
// MediaWiki and WordPress with MariaDB, from Debian's packages on loopback, and
// answers from each site's own data what became of a task there.
//
// All state of a site stands in one temporary directory. A small process keeps
// watch over it: when the site is stopped, or the program that started it dies in
// whatever way, it ends the site's processes and removes the directory.
//
// Under root the software runs as www-data.
package realsites

// Domain names of the sites as tasks name them.
const (
	DokuWikiDomain  = "dokuwiki.test"
	MediaWikiDomain = "mediawiki.test"
	WordPressDomain = "wordpress.test"
)
