// Package scripts holds the bundled Lua drivers: NAME.lua each, lib for what
// they share, testdata for their tests, and meta for editors.
package scripts

import "embed"

// FS is this folder as it was built. Whoever adds a script adds one file here.
//
//go:embed *
var FS embed.FS
