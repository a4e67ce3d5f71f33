// Package proto is the contract between rollcall and drivers that run in a
// process of their own: driver.proto, the code generated from it, and the
// functions that carry the types of package core across the border and back.
//
// Text meant for people is made valid UTF-8 on the way out; a core.Value, and
// JSON that is kept as it came, crosses byte for byte. Empty and nil maps and
// slices are the same on the other side.
package proto

//go:generate protoc --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative driver.proto

// MaxMessage is the size in bytes of the largest message, in both directions.
const MaxMessage = 16 << 20

// Version is the version of the contract that this package speaks.
//
// It stays the same while messages only gain fields, which the other side may
// leave out or not know. It is one higher once a field or a call has another
// meaning, or is needed: then the runner keeps what it does for the version
// before, so that plugins can be rebuilt one by one, and drops the one before that.
const Version = 1

// Served lists the versions that a runner of version current serves: it and the
// one before. Version 1 has none before it.
func Served(current int) []int {
	if current <= 1 {
		return []int{current}
	}
	return []int{current - 1, current}
}
