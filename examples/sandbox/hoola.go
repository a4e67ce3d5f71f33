package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// HoolaDomain is the domain of the sandbox's bulk API.
const HoolaDomain = "hoola.sandbox.test"

const (
	hoolaPath  = "/manage/api/users/create-multi-user"
	hoolaUsers = 100
)

// Hoola is a bulk API, held to its text: at most 100 users in a call, calls far
// enough apart, a token in the query.
type Hoola struct {
	URL   string
	Token string
	Every time.Duration // from the end of a call to the start of the next

	clock Clock
	sig   signal

	mu     sync.Mutex
	users  []HoolaUser
	byName map[string]bool // "u:" and "e:" with a name
	calls  []HoolaCall
	busy   int
	ended  time.Time
	hook   func(HoolaCall) HoolaFault
}

// HoolaUser is a user of a call's body.
type HoolaUser struct {
	Name     string `json:"name"`
	Username string `json:"username"`
	Email    string `json:"email"`
	Password string `json:"password"`
	Phone    string `json:"phone,omitempty"`
	City     string `json:"city,omitempty"`
	District string `json:"district,omitempty"`
	Street   string `json:"street,omitempty"`
	Gender   string `json:"gender,omitempty"`
	Job      string `json:"job,omitempty"`
	ID       string `json:"-"` // once it was made
}

// HoolaCall is one call as the server saw it.
type HoolaCall struct {
	N       int // 1 for the first
	At      time.Time
	Users   []HoolaUser
	Created int
	Early   bool   // it came before its time
	Refused string // why the whole call was refused
}

// HoolaFault is what goes wrong with one call. Kinds are those of the task
// manager; those that take effect make the call's users.
type HoolaFault struct {
	Fault
	Half    bool             // only the first half of the users is made, and the answer is lost
	Code    string           // respCode of an answer that refuses the call, nothing is made
	Reorder bool             // the answer's rows come backwards
	Foreign bool             // the answer names a user that was not sent, and one row twice
	Missing int              // the answer leaves out so many of its last rows
	Body    func(int) string // the whole body, of how many users were made
}

func newHoola(o Options) *Hoola {
	every := o.HoolaEvery
	if every == 0 {
		every = 10 * time.Minute
	}
	return &Hoola{Token: "sandbox-hoola-token", Every: every, clock: o.Clock, byName: map[string]bool{}}
}

// Fault sets the hook that decides what goes wrong with each call; nil ends it.
func (h *Hoola) Fault(hook func(HoolaCall) HoolaFault) {
	h.mu.Lock()
	h.hook = hook
	h.mu.Unlock()
}

// SetToken changes the token that is accepted.
func (h *Hoola) SetToken(token string) {
	h.mu.Lock()
	h.Token = token
	h.mu.Unlock()
}

// Wait returns when ok holds; it is asked at the start and at every change.
func (h *Hoola) Wait(ctx context.Context, ok func(*Hoola) bool) error {
	return h.sig.wait(ctx, func() bool { return ok(h) })
}

// Calls returns every call so far, oldest first.
func (h *Hoola) Calls() []HoolaCall {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.calls)
}

// Users returns every user that was made, in order.
func (h *Hoola) Users() []HoolaUser {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.users)
}

// Add makes users that were there before.
func (h *Hoola) Add(users ...HoolaUser) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, u := range users {
		h.make(u)
	}
}

func (h *Hoola) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+hoolaPath, h.create)
	mux.HandleFunc("GET /profile/{id}", h.profile)
	return mux
}

// profile shows a user's page.
func (h *Hoola) profile(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	i := slices.IndexFunc(h.users, func(u HoolaUser) bool { return u.ID == r.PathValue("id") })
	var name string
	if i >= 0 {
		name = h.users[i].Name
	}
	h.mu.Unlock()
	if i < 0 {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "<!doctype html><meta charset=utf-8><h1>%s</h1>", strings.NewReplacer("<", "&lt;", "&", "&amp;").Replace(name))
}

type hoolaRow struct {
	Name     string  `json:"name,omitempty"`
	Username string  `json:"username"`
	Email    string  `json:"email"`
	Password string  `json:"password,omitempty"`
	UserID   *string `json:"userId"`
	Success  bool    `json:"success"`
	Status   string  `json:"status"`
}

func (h *Hoola) create(w http.ResponseWriter, r *http.Request) {
	users, readErr := readUsers(r)
	h.mu.Lock()
	call := HoolaCall{N: len(h.calls) + 1, At: h.clock.Now(), Users: users}
	call.Early = h.busy > 0 || !h.ended.IsZero() && call.At.Sub(h.ended) < h.Every
	var fault HoolaFault
	if h.hook != nil {
		fault = h.hook(call)
	}
	status := http.StatusOK
	switch {
	case r.URL.Query().Get("token") != h.Token:
		status, call.Refused = http.StatusUnauthorized, "invalid token"
	case readErr != nil:
		status, call.Refused = http.StatusBadRequest, readErr.Error()
	case len(users) == 0 || len(users) > hoolaUsers:
		status, call.Refused = http.StatusBadRequest, fmt.Sprintf("%d users in one call, 1 to %d are accepted", len(users), hoolaUsers)
	case call.Early:
		status, call.Refused = http.StatusTooManyRequests, "the last call was less than "+h.Every.String()+" ago"
	case fault.Code != "":
		call.Refused = "the list was refused"
	case fault.Kind.before():
		call.Refused = string(fault.Kind)
	}
	var rows []hoolaRow
	if call.Refused == "" {
		n := len(users)
		if fault.Half {
			n /= 2
		}
		for _, u := range users[:n] {
			row := h.add(u)
			if row.Success {
				call.Created++
			}
			rows = append(rows, row)
		}
	}
	h.calls = append(h.calls, call)
	h.busy++
	h.mu.Unlock()
	h.sig.changed()
	defer func() {
		h.mu.Lock()
		h.busy--
		h.ended = h.clock.Now()
		h.mu.Unlock()
		h.sig.changed()
	}()
	if call.Refused != "" && !fault.Kind.before() {
		code := fault.Code
		if code == "" {
			code = "99"
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"respCode": code, "msg": call.Refused})
		return
	}
	if fault.Kind.before() {
		a := fault.instead()
		fault.send(w, r, a.status, encode(a.body))
		return
	}
	fault.send(w, r, status, fault.body(rows, call.Created))
}

// add makes one user or says why not. h.mu is held.
func (h *Hoola) add(u HoolaUser) hoolaRow {
	row := hoolaRow{Name: u.Name, Username: u.Username, Email: u.Email, Password: u.Password}
	switch {
	case !complete(u):
		row.Name, row.Status = "", "Not enough required infomation to create new user"
	case h.byName["e:"+strings.ToLower(u.Email)]:
		row.Status = "Email already in use"
	case h.byName["u:"+strings.ToLower(u.Username)]:
		row.Status = "Username already in use"
	default:
		id := h.make(u)
		row.UserID, row.Success, row.Status = &id, true, "Success created"
	}
	return row
}

func (h *Hoola) make(u HoolaUser) string {
	u.ID = fmt.Sprintf("hu%06d", len(h.users)+1)
	h.users = append(h.users, u)
	h.byName["e:"+strings.ToLower(u.Email)], h.byName["u:"+strings.ToLower(u.Username)] = true, true
	return u.ID
}

var hoolaName = regexp.MustCompile(`^[A-Za-z0-9]{3,20}$`)

func complete(u HoolaUser) bool {
	n := utf8.RuneCountInString(u.Password)
	return utf8.RuneCountInString(u.Name) >= 3 && hoolaName.MatchString(u.Username) && strings.Contains(u.Email, "@") && n >= 6 && n <= 35
}

// readUsers reads a call's body strictly.
func readUsers(r *http.Request) ([]HoolaUser, error) {
	data, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	if err != nil {
		return nil, err
	}
	var body struct {
		Users []HoolaUser `json:"users"`
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return nil, errors.New("the body is not application/json")
	}
	return body.Users, nil
}

// body is the answer for the rows, with what the fault makes of it.
func (f HoolaFault) body(rows []hoolaRow, created int) []byte {
	if f.Body != nil {
		return []byte(f.Body(created))
	}
	failed := len(rows) - created
	if f.Missing > 0 {
		rows = rows[:max(0, len(rows)-f.Missing)]
	}
	rows = slices.Clone(rows)
	if f.Reorder {
		slices.Reverse(rows)
	}
	if f.Foreign {
		id := "foreign"
		rows = append([]hoolaRow{{Name: "Somebody Else", Username: "nobodyofours", Email: "nobody@elsewhere.example", UserID: &id, Success: true, Status: "Success created"}}, rows...)
		rows = append(rows, rows[len(rows)-1])
	}
	var b bytes.Buffer
	_ = json.NewEncoder(&b).Encode(map[string]any{"respCode": "00", "users": rows, "msg": fmt.Sprintf("%d success, %d error", created, failed)})
	return b.Bytes()
}
