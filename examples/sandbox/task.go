package sandbox

import (
	"encoding/json"
	"maps"
	"time"
)

// Task is a task as the Entity API shows it. Empty fields are left out, as the
// real server does with what it does not know.
type Task struct {
	ID            string          `json:"id"`
	RequestID     string          `json:"request_id,omitempty"`
	Domain        string          `json:"domain"`
	Website       string          `json:"website,omitempty"`
	Email         string          `json:"email,omitempty"`
	Username      string          `json:"username,omitempty"`
	PassMail      string          `json:"pass_mail,omitempty"`
	TwoFA         string          `json:"twofa,omitempty"`
	AppPassword   string          `json:"app_password,omitempty"`
	Password      string          `json:"password,omitempty"`
	FirstName     string          `json:"first_name,omitempty"`
	LastName      string          `json:"last_name,omitempty"`
	Phone         string          `json:"phone,omitempty"`
	Address       string          `json:"address,omitempty"`
	Location      string          `json:"location,omitempty"`
	About         string          `json:"about,omitempty"`
	AvatarURL     string          `json:"avatar_url,omitempty"`
	CoverURL      string          `json:"cover_url,omitempty"`
	SocialConnect []string        `json:"social_connect,omitempty"`
	EntityConnect []string        `json:"entity_connect,omitempty"`
	Images        json.RawMessage `json:"images,omitempty"`
	// Status is where the task stands. Empty in Add means register.
	Status string `json:"status,omitempty"`

	Extra map[string]any `json:"-"` // further fields, shown beside the others
	// HideStatus leaves the status out of what is shown, as the protocol's own example does.
	HideStatus bool `json:"-"`
	// Taken has another worker get the task first: the first start finds it registering.
	Taken bool `json:"-"`
	// MaxRetries is how often the retry manager queues the task again. Defaults to Options.MaxRetries.
	MaxRetries int `json:"-"`
}

// shown is the task's JSON object.
func (t Task) shown() (json.RawMessage, error) {
	if t.HideStatus {
		t.Status = ""
	}
	plain, err := json.Marshal(t)
	if err != nil || len(t.Extra) == 0 {
		return plain, err
	}
	all := map[string]any{}
	maps.Copy(all, t.Extra)
	var own map[string]json.RawMessage
	if err := json.Unmarshal(plain, &own); err != nil {
		return nil, err
	}
	for name, v := range own {
		all[name] = v
	}
	return json.Marshal(all)
}

// Result is what a worker reported.
type Result struct {
	LinkProfile  string `json:"link_profile,omitempty"`
	Email        string `json:"email,omitempty"`
	Username     string `json:"username,omitempty"`
	Password     string `json:"password,omitempty"`
	Note         string `json:"note,omitempty"`
	ErrorMessage string `json:"error_message,omitempty"`
}

// Snapshot is a task at one moment, with everything that was called on it.
type Snapshot struct {
	Task
	Retries int
	Deleted bool
	Result  Result // of the last complete or fail that took effect
	Calls   []Call // calls that named the task, oldest first
}

// Count says how many calls with the name took effect.
func (s Snapshot) Count(name CallName) int {
	n := 0
	for _, c := range s.Calls {
		if c.Name == name && c.Applied {
			n++
		}
	}
	return n
}

// CallName is one of the API's calls.
type CallName string

// The calls.
const (
	CallList     CallName = "list"
	CallGet      CallName = "get"
	CallStart    CallName = "start"
	CallComplete CallName = "complete"
	CallFail     CallName = "fail"
)

// Call is one request to the task manager.
type Call struct {
	N       int // of all calls, from 1
	Nth     int // of the calls with this name on this task, from 1
	At      time.Time
	Name    CallName
	TaskID  string // empty for list
	Query   string // undecoded
	Body    []byte
	Status  int    // HTTP status that was meant to be sent
	Answer  []byte // body that was meant to be sent, at most 64 kB of it
	Fault   FaultKind
	Applied bool   // whether the call changed the task's state
	From    string // the task's state before and after
	To      string
}
