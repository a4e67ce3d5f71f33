// Package plugins is the SDK for drivers that run in a process of their own.
//
// A plugin driver is a program whose main calls Serve with a core.Driver. The
// runner starts it, asks for its manifest and runs its phases; what a phase may
// ask of the runner is core.Session.Services, which works across the border as
// it does within one process: errors.Is and errors.As find core's sentinels and
// *core.Fault, cancellation and deadlines arrive, and a core.Value stays a secret.
//
// ServeWorker serves many drivers from one process: each request names its
// driver by a DriverRef, whose source comes with the first request only.
package plugins
