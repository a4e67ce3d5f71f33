package proto

import (
	"context"
	"errors"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/rollcall-run/rollcall/core"
)

// sentinels are the errors that are values on both sides, by their name on the way.
var sentinels = []struct {
	name string
	err  error
}{
	{"committed", core.ErrCommitted},
	{"no_commit", core.ErrNoCommit},
	{"not_yet", core.ErrNotYet},
	{"away", core.ErrAway},
	{"no_asset", core.ErrNoAsset},
	{"no_totp", core.ErrNoTOTP},
	{"no_phase", core.ErrNoPhase},
	{"lease_lost", core.ErrLeaseLost},
	{"no_mailbox", core.ErrNoMailbox},
	{"canceled", context.Canceled},
	{"deadline_exceeded", context.DeadlineExceeded},
}

// Sizes in bytes to which the texts of an error are cut on their way.
const (
	MaxErrorText   = 8 << 10
	MaxErrorDetail = 64 << 10
)

// ErrNeedSource is the answer of a process that does not have the driver's
// source: the request is repeated with it.
var ErrNeedSource = errors.New("the process does not have the driver's source")

// ToStatus makes err a gRPC status whose details let FromStatus restore what
// errors.Is and errors.As find in it: the sentinels of core, the context errors
// and a *core.Fault. Texts are cut to MaxErrorText, a fault's detail to
// MaxErrorDetail.
func ToStatus(err error) error {
	if err == nil {
		return nil
	}
	detail := &Error{Text: cut(err.Error(), MaxErrorText), NeedSource: errors.Is(err, ErrNeedSource)}
	code := codes.Aborted
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			detail.Sentinels = append(detail.Sentinels, s.name)
		}
	}
	if f, ok := errors.AsType[*core.Fault](err); ok && f != nil {
		detail.Fault = &Fault{
			Code: cut(string(f.Code), MaxErrorText), Phase: cut(string(f.Phase), MaxErrorText), Place: cut(f.Place, MaxErrorText),
			Verb: cut(f.Verb, MaxErrorText), Locator: cut(f.Locator, MaxErrorText), Url: cut(f.URL, MaxErrorText),
			Why: cut(f.Why, MaxErrorText), Detail: cut(f.Detail, MaxErrorDetail),
		}
	}
	st, werr := status.New(code, "driver error").WithDetails(detail)
	if werr != nil {
		return status.Error(codes.Internal, "the error can't be encoded: "+werr.Error())
	}
	return st.Err()
}

// FromStatus restores the error that ToStatus carried. A status without such a
// detail is returned as it is: Crossed tells the two apart.
func FromStatus(err error) error {
	st, ok := status.FromError(err)
	if err == nil || !ok {
		return err
	}
	for _, d := range st.Details() {
		if detail, ok := d.(*Error); ok {
			return detail.core()
		}
	}
	return err
}

// Crossed reports whether err, as the gRPC client returned it, was made by
// ToStatus on the other side, and is not a failure of the connection.
func Crossed(err error) bool {
	st, ok := status.FromError(err)
	if err == nil || !ok {
		return false
	}
	for _, d := range st.Details() {
		if _, ok := d.(*Error); ok {
			return true
		}
	}
	return false
}

func (e *Error) core() error {
	var is []error
	if f := e.GetFault(); f != nil {
		is = append(is, &core.Fault{
			Code: core.FaultCode(f.GetCode()), Phase: core.Phase(f.GetPhase()), Place: f.GetPlace(), Verb: f.GetVerb(),
			Locator: f.GetLocator(), URL: f.GetUrl(), Why: f.GetWhy(), Detail: f.GetDetail(),
		})
	}
	for _, name := range e.GetSentinels() {
		for _, s := range sentinels {
			if s.name == name {
				is = append(is, s.err)
			}
		}
	}
	if e.GetNeedSource() {
		is = append(is, ErrNeedSource)
	}
	if len(is) == 1 && is[0].Error() == e.GetText() {
		return is[0]
	}
	return &remoteError{text: e.GetText(), is: is}
}

// remoteError is an error from the other side of the border.
type remoteError struct {
	text string
	is   []error
}

func (e *remoteError) Error() string   { return e.text }
func (e *remoteError) Unwrap() []error { return e.is }

// cut makes s valid UTF-8 of at most n bytes, with … where something was left off.
func cut(s string, n int) string {
	s = valid(s)
	if len(s) <= n {
		return s
	}
	if n -= len("…"); n < 0 {
		return ""
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
