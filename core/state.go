package core

import "fmt"

// State is where a task stands. See the package documentation for the chart.
type State string

// The states.
const (
	Ready     State = "ready"
	Starting  State = "starting"
	Prepared  State = "prepared"
	Intended  State = "intent"
	Submitted State = "submitted"
	Refused   State = "refused"
	Confirmed State = "confirmed"
	Profiled  State = "profiled"
	Connected State = "connected"
	Failed    State = "failed"
	Unknown   State = "unknown"
	Delayed   State = "waiting"
	Held      State = "held"
	Parked    State = "parked"
	Reporting State = "reporting"
	Reported  State = "reported"
	Overtaken State = "overtaken"
	Dropped   State = "dropped"
)

// States lists every state, in the order of a task's life.
var States = []State{Ready, Starting, Prepared, Intended, Submitted, Refused, Confirmed, Profiled, Connected,
	Failed, Unknown, Delayed, Held, Parked, Reporting, Reported, Overtaken, Dropped}

// edges is the chart of the package documentation.
var edges = map[State][]State{
	Ready:     {Starting, Parked, Dropped},
	Starting:  {Prepared, Dropped},
	Prepared:  {Intended, Confirmed, Connected, Unknown, Failed, Delayed, Held, Parked},
	Intended:  {Submitted, Unknown},
	Submitted: {Confirmed, Refused, Unknown, Delayed, Held, Parked},
	Refused:   {Prepared, Failed},
	Confirmed: {Profiled, Failed, Delayed, Held, Parked},
	Profiled:  {Reporting},
	Connected: {Reporting},
	Failed:    {Reporting},
	Unknown:   {Confirmed, Prepared, Failed, Delayed, Held, Parked},
	Delayed:   {Prepared, Submitted, Confirmed, Unknown},
	Held:      {Prepared, Intended, Submitted, Confirmed, Unknown, Parked},
	Parked:    {Ready, Prepared, Submitted, Confirmed, Unknown, Failed},
	Reporting: {Reported, Overtaken},
	Reported:  {Ready},
	Overtaken: {Ready},
	Dropped:   {Ready},
}

// Next returns the states that s may be left to.
func (s State) Next() []State { return edges[s] }

// Final reports whether the task needs no further work unless the task manager
// brings it back.
func (s State) Final() bool { return s == Reported || s == Overtaken || s == Dropped }

// Move returns an error, an *EdgeError, unless the chart has an edge from → to.
func (s State) Move(to State) error {
	for _, n := range edges[s] {
		if n == to {
			return nil
		}
	}
	return &EdgeError{From: s, To: to}
}

// EdgeError is a move that the chart does not have.
type EdgeError struct{ From, To State }

func (e *EdgeError) Error() string {
	return fmt.Sprintf("a task can't go from %s to %s", e.From, e.To)
}
