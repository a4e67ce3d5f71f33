// Command plugin is the actor as a plugin of its own.
package main

import (
	"github.com/rollcall-run/rollcall/drivers/drivertest/actor"
	"github.com/rollcall-run/rollcall/plugins"
)

func main() { plugins.Serve(actor.New()) }
