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

// Version is the version of the contract that the handshake negotiates.
const Version = 1
