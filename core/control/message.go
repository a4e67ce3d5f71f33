package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/rollcall-run/rollcall/core"
)

// Bounds of what crosses, in bytes.
const (
	maxRequest = 1 << 20
	maxImport  = 64 << 20 // an import has all its users in one request
	maxLine    = 64 << 20 // a task has 1 MB, which escapes make larger
)

// mostOf is how large the request of a method may be.
func mostOf(name string) int {
	if name == "AddImport" {
		return maxImport
	}
	return maxRequest
}

// prefix is the address of the methods, and the version of the protocol.
const prefix = "/1/"

// The requests. Each is one JSON object.
type (
	taskRequest    struct{ ID string }
	resolveRequest struct {
		ID      string
		Verdict core.Verdict
		By      string
	}
	retryRequest   struct{ ID, By string }
	siteRequest    struct{ Domain, Why string }
	asksRequest    struct{ All bool }
	answerRequest  struct{ ID, Text, By string }
	accountRequest struct{ Reveal bool }
	backupRequest  struct{ Path string }
	noRequest      struct{}
)

// message is one line of an answer.
type message struct {
	Item json.RawMessage `json:"item,omitempty"`
	End  bool            `json:"end,omitempty"`
	Fail *failure        `json:"fail,omitempty"`
}

// failure is an error on its way.
type failure struct {
	Kind string `json:"kind,omitempty"` // a key of sentinels
	Text string `json:"text"`
}

// sentinels are the errors that survive the socket.
var sentinels = map[string]error{
	"unknown_task": core.ErrUnknownTask,
	"unknown_ask":  core.ErrUnknownAsk,
	"ask_closed":   core.ErrAskClosed,
	"nothing":      core.ErrNothing,
	"lease_lost":   core.ErrLeaseLost,
}

func failureOf(err error) *failure {
	f := &failure{Text: err.Error()}
	for kind, sentinel := range sentinels {
		if errors.Is(err, sentinel) {
			f.Kind = kind
		}
	}
	return f
}

// remoteError is an error of the runner's: its text, and the sentinel it wraps.
type remoteError struct {
	text string
	is   error
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.is }

func (f *failure) err() error { return &remoteError{text: f.Text, is: sentinels[f.Kind]} }

// decode reads one JSON value strictly: no unknown field, nothing behind it.
func decode(data []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("something follows the JSON value at byte %d", d.InputOffset())
	}
	return nil
}
