package sandbox

import (
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// admin serves the pages and calls with which people steer the sandbox. They
// have a port of their own: nothing of them is on the task manager's.
func (sb *Sandbox) admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/_sandbox/", http.StatusSeeOther) })
	mux.HandleFunc("GET /_sandbox/{$}", sb.adminHome)
	mux.HandleFunc("GET /_sandbox/tasks", func(w http.ResponseWriter, r *http.Request) { reply(w, 200, sb.Manager.Tasks()) })
	mux.HandleFunc("GET /_sandbox/calls", func(w http.ResponseWriter, r *http.Request) { reply(w, 200, sb.Manager.Calls()) })
	mux.HandleFunc("GET /_sandbox/mail", func(w http.ResponseWriter, r *http.Request) { reply(w, 200, sb.Mail.Messages(r.FormValue("to"))) })
	mux.HandleFunc("GET /_sandbox/accounts", func(w http.ResponseWriter, r *http.Request) {
		all := map[string][]Account{}
		for _, s := range sb.Sites() {
			all[s.Name] = s.Accounts()
		}
		reply(w, 200, all)
	})
	mux.HandleFunc("POST /_sandbox/tasks", sb.adminAdd)
	mux.HandleFunc("POST /_sandbox/demo", func(w http.ResponseWriter, r *http.Request) { sb.LoadDemo(); done(w, nil) })
	mux.HandleFunc("POST /_sandbox/tasks/{id}/status", sb.adminStatus)
	mux.HandleFunc("DELETE /_sandbox/tasks/{id}", func(w http.ResponseWriter, r *http.Request) { done(w, sb.Manager.Delete(r.PathValue("id"))) })
	mux.HandleFunc("POST /_sandbox/faults", sb.adminFault)
	mux.HandleFunc("POST /_sandbox/commits", sb.adminCommit)
	own := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if "http://"+r.Host != sb.Admin.URL {
			http.Error(w, "the sandbox answers at "+sb.Admin.URL, http.StatusForbidden)
			return
		}
		own.ServeHTTP(w, r)
	})
}

func done(w http.ResponseWriter, err error) {
	if err != nil {
		reply(w, http.StatusBadRequest, map[string]any{"error": err.Error()})
		return
	}
	reply(w, 200, map[string]any{"ok": true})
}

func decodeStrict(r *http.Request, v any) error {
	d := json.NewDecoder(io.LimitReader(r.Body, 8<<20))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

func (sb *Sandbox) adminAdd(w http.ResponseWriter, r *http.Request) {
	var tasks []Task
	err := decodeStrict(r, &tasks)
	for i, t := range tasks {
		if err == nil && (t.ID == "" || t.Domain == "" || (t.Status != "" && !slices.Contains(states, t.Status))) {
			err = fmt.Errorf("task %d of the list needs an id, a domain and a known status", i+1)
		}
	}
	if err == nil {
		sb.Manager.Add(tasks...)
	}
	done(w, err)
}

func (sb *Sandbox) adminStatus(w http.ResponseWriter, r *http.Request) {
	var b struct {
		Status string `json:"status"`
	}
	err := decodeStrict(r, &b)
	if err == nil {
		err = sb.Manager.Edit(r.PathValue("id"), b.Status)
	}
	done(w, err)
}

// adminFault has the next calls of one name go wrong: times 0 is one call, no kind ends it.
func (sb *Sandbox) adminFault(w http.ResponseWriter, r *http.Request) {
	var b struct {
		Call       CallName  `json:"call"` // empty: any
		Kind       FaultKind `json:"kind"`
		Times      int       `json:"times"`
		Status     int       `json:"status"`
		RetryAfter string    `json:"retry_after"`
		Delay      string    `json:"delay"`
		Location   string    `json:"location"`
	}
	err := decodeStrict(r, &b)
	f := Fault{Kind: b.Kind, Status: b.Status, RetryAfter: b.RetryAfter, Location: b.Location}
	if err == nil && b.Delay != "" {
		f.Delay, err = time.ParseDuration(b.Delay)
	}
	if err == nil && b.Kind != NoFault && !slices.Contains(FaultKinds, b.Kind) {
		err = fmt.Errorf("%q is not a kind of fault; known are %v", b.Kind, FaultKinds)
	}
	if err != nil || b.Kind == NoFault {
		if err == nil {
			sb.Manager.Fault(nil)
		}
		done(w, err)
		return
	}
	var mu sync.Mutex
	left := max(b.Times, 1)
	sb.Manager.Fault(func(c Call) Fault {
		mu.Lock()
		defer mu.Unlock()
		if left == 0 || (b.Call != "" && b.Call != c.Name) {
			return Fault{}
		}
		left--
		return f
	})
	done(w, nil)
}

// adminCommit has the next sign-ups on one site go wrong.
func (sb *Sandbox) adminCommit(w http.ResponseWriter, r *http.Request) {
	var b struct {
		Site       string     `json:"site"`
		Kind       CommitKind `json:"kind"`
		Times      int        `json:"times"`
		RetryAfter string     `json:"retry_after"`
		Delay      string     `json:"delay"`
		Commit     bool       `json:"commit"`
	}
	err := decodeStrict(r, &b)
	f := CommitFault{Kind: b.Kind, RetryAfter: b.RetryAfter, Commit: b.Commit}
	if err == nil && b.Delay != "" {
		f.Delay, err = time.ParseDuration(b.Delay)
	}
	i := slices.IndexFunc(sb.Sites(), func(s *Site) bool { return s.Name == b.Site })
	switch {
	case err != nil:
	case i < 0:
		err = fmt.Errorf("%q is not a site; known are board, community, wizard and guarded", b.Site)
	case b.Kind == CommitNormal:
		sb.Sites()[i].OnCommit(nil)
	case !slices.Contains(CommitKinds, b.Kind):
		err = fmt.Errorf("%q is not a kind; known are %v", b.Kind, CommitKinds)
	default:
		var mu sync.Mutex
		left := max(b.Times, 1)
		sb.Sites()[i].OnCommit(func(Submit) CommitFault {
			mu.Lock()
			defer mu.Unlock()
			if left == 0 {
				return CommitFault{}
			}
			left--
			return f
		})
	}
	done(w, err)
}

var adminPage = template.Must(template.New("admin").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>rollcall sandbox</title>
<style>body{font:15px/1.5 sans-serif;margin:2rem}td,th{padding:.2rem .8rem;text-align:left;border-bottom:1px solid #ddd}</style></head><body>
<h1>rollcall sandbox</h1>
<p>Task manager: <code>{{.Manager.URL}}</code>, key <code>{{.Manager.APIKey}}</code>. Mail: <code>{{.Mail.URL}}</code>.</p>
<ul>{{range .Sites}}<li>{{.Domain}}: <a href="{{.URL}}">{{.URL}}</a>, {{len .Accounts}} accounts, {{len .Submits}} sign-ups sent</li>{{end}}</ul>
<table><tr><th>task</th><th>domain</th><th>status</th><th>retries</th><th>calls</th><th>result</th></tr>
{{range .Manager.Tasks}}<tr><td>{{.ID}}</td><td>{{.Domain}}</td><td>{{if .Deleted}}deleted{{else}}{{.Status}}{{end}}</td><td>{{.Retries}}</td><td>{{len .Calls}}</td>
<td>{{with .Result.LinkProfile}}<a href="{{.}}" rel="noreferrer">{{.}}</a>{{end}}{{.Result.ErrorMessage}}</td></tr>{{end}}</table>
<p>As JSON: <a href="tasks">tasks</a>, <a href="calls">calls</a>, <a href="accounts">accounts</a>, <a href="mail">mail</a>.</p>
</body></html>
`))

func (sb *Sandbox) adminHome(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := adminPage.Execute(w, sb); err != nil {
		sb.options.Logger.Error("the sandbox's page", "err", err)
	}
}
