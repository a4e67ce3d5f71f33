package entity

import (
	"encoding/json"
	"errors"

	"github.com/rollcall-run/rollcall/core"
)

// Decode reads one task in the API's JSON form, as List would, without a server.
// The warnings are what a Listing would carry.
func Decode(task []byte, states core.StateNames) (core.Listed, []string, error) {
	if !json.Valid(task) {
		return core.Listed{}, nil, errors.New("it is not JSON")
	}
	if states == (core.StateNames{}) {
		states = core.DefaultStateNames
	}
	c := &Client{o: Options{States: states, ItemLimitBytes: defaultItemSize}}
	d := c.decode(task)
	return d.listed, d.warnings, d.err
}
