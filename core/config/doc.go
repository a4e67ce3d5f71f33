// Package config reads rollcall.toml.
//
// Reading is strict: an unknown or repeated key, a value of the wrong type or
// out of its range, and a secret written as plain text are errors, each with
// file, line and key, and all of them are reported together. [Load] reads the
// file and those it names and changes nothing; [Config.Check] then looks at what
// is outside of them, environment variables and secret files.
package config
