package sandbox

import (
	"encoding/json"
	"html/template"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"
)

// wizard is the client-side app: every page is drawn by script, every change
// goes over its JSON API.
func (s *Site) wizard() http.Handler {
	mux := http.NewServeMux()
	for _, path := range []string{"/{$}", "/signup", "/signup/{step}", "/welcome", "/login", "/profile"} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) { s.wizardShell(w, r, 200, nil) })
	}
	mux.HandleFunc("GET /people/{name}", func(w http.ResponseWriter, r *http.Request) {
		if who, ok := s.Account(r.PathValue("name")); ok {
			s.wizardShell(w, r, 200, &who)
			return
		}
		s.wizardShell(w, r, http.StatusNotFound, nil)
	})
	mux.HandleFunc("GET /terms-frame", func(w http.ResponseWriter, r *http.Request) { s.page(w, 200, "wizard-terms", nil) })
	mux.HandleFunc("GET /api/usernames/{name}", func(w http.ResponseWriter, r *http.Request) {
		_, taken := s.Account(r.PathValue("name"))
		reply(w, 200, map[string]any{"free": !taken})
	})
	mux.HandleFunc("POST /api/uploads", s.wizardUpload)
	mux.HandleFunc("POST /api/accounts", s.wizardCreate)
	mux.HandleFunc("POST /api/sessions", s.wizardLogin)
	mux.HandleFunc("GET /api/profile", s.wizardProfile)
	mux.HandleFunc("PUT /api/profile", s.wizardSave)
	mux.HandleFunc("GET /avatar/{name}", s.avatar)
	mux.HandleFunc("GET /static/{file}", s.static)
	return mux
}

// person is a member as the app's scripts get it.
type person struct {
	Username string   `json:"username"`
	Name     string   `json:"name"`
	Bio      string   `json:"bio"`
	Location string   `json:"location"`
	Website  string   `json:"website"`
	Links    []string `json:"links"`
	Avatar   string   `json:"avatar"`
}

func (a *Account) person() person {
	p := person{Username: a.Username, Name: a.Name, Bio: a.Profile["bio"], Location: a.Profile["location"], Website: a.Profile["website"], Links: append([]string{}, a.Links...)}
	if a.Avatar != nil {
		p.Avatar = "/avatar/" + a.Username
	}
	return p
}

type wizardData struct {
	CSRF  string
	State template.JS
	Who   *person
}

// wizardShell is the one page of the app. A member's public page brings its
// data along, so that what it says can be read without running the script.
func (s *Site) wizardShell(w http.ResponseWriter, r *http.Request, status int, who *Account) {
	ss := s.session(w, r)
	d := wizardData{CSRF: ss.csrf}
	state := map[string]any{}
	if who != nil {
		p := who.person()
		d.Who = &p
		state["person"] = p
	}
	s.mu.Lock()
	if ss.member != nil {
		state["me"] = ss.member.Username
	}
	s.mu.Unlock()
	text, err := json.Marshal(state)
	if err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	d.State = template.JS(text)
	s.page(w, status, "wizard-app", d)
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(encode(v))
}

// asked decodes the JSON body of a call by the app itself.
func asked(w http.ResponseWriter, r *http.Request, ss *session, v any) bool {
	if r.Header.Get("X-CSRF-Token") != ss.csrf {
		reply(w, http.StatusForbidden, map[string]any{"error": "This page has expired. Reload it."})
		return false
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(v); err != nil {
		reply(w, http.StatusBadRequest, map[string]any{"error": "Something went wrong. Try again."})
		return false
	}
	return true
}

func (s *Site) wizardUpload(w http.ResponseWriter, r *http.Request) {
	ss := s.session(w, r)
	if r.Header.Get("X-CSRF-Token") != ss.csrf {
		reply(w, http.StatusForbidden, map[string]any{"error": "This page has expired. Reload it."})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 4<<20)
	if err := parseAnyForm(r); err != nil {
		reply(w, http.StatusBadRequest, map[string]any{"error": "The picture did not arrive."})
		return
	}
	img, why := uploaded(r, "picture", 100_000)
	if why == "" && img.data == nil {
		why = "The picture did not arrive."
	}
	if why != "" {
		reply(w, http.StatusUnprocessableEntity, map[string]any{"error": why})
		return
	}
	id := s.tokens.next()
	s.mu.Lock()
	s.uploads[id] = img
	s.mu.Unlock()
	reply(w, 200, map[string]any{"id": id})
}

func (s *Site) wizardCreate(w http.ResponseWriter, r *http.Request) {
	index, fault := s.arrive(w, r)
	ss := s.session(w, r)
	var b struct {
		Username, Email, Password, Name, Location, Bio, Picture string
		Terms                                                   bool
	}
	if !asked(w, r, ss, &b) {
		return
	}
	why := ""
	switch {
	case !boardName.MatchString(b.Username):
		why = "Usernames have 3 to 20 letters, digits or underscores."
	case !looksLikeMail(b.Email):
		why = s.wording(RefuseInvalid)
	case !strong(b.Password):
		why = s.wording(RefuseWeak)
	case !b.Terms:
		why = "Accept the terms first."
	}
	if why == "" {
		a, no, answer := s.commit(w, r, index, fault, func() (*Account, string) {
			if s.findLocked(b.Username) != nil || s.findLocked(b.Email) != nil {
				return nil, s.wording(RefuseTaken)
			}
			img := s.uploads[b.Picture]
			delete(s.uploads, b.Picture)
			return s.createLocked(Account{
				Username: b.Username, Email: b.Email, Password: b.Password, Name: b.Name, Confirmed: true, Avatar: img.data, AvatarType: img.kind,
				Profile: map[string]string{"location": b.Location, "bio": b.Bio},
			}), ""
		})
		if !answer {
			return
		}
		if a != nil {
			made := s.signIn(w, r, a)
			reply(w, http.StatusCreated, map[string]any{"username": b.Username, "csrf": made.csrf})
			return
		}
		why = no
	}
	reply(w, http.StatusUnprocessableEntity, map[string]any{"error": why})
}

func (s *Site) wizardLogin(w http.ResponseWriter, r *http.Request) {
	ss := s.session(w, r)
	var b struct{ Username, Password string }
	if !asked(w, r, ss, &b) {
		return
	}
	a := s.authenticate(b.Username, b.Password)
	if a == nil {
		reply(w, http.StatusUnauthorized, map[string]any{"error": "We do not know this username and password."})
		return
	}
	made := s.signIn(w, r, a)
	reply(w, 200, map[string]any{"username": a.Username, "csrf": made.csrf})
}

func (s *Site) wizardProfile(w http.ResponseWriter, r *http.Request) {
	a := s.member(s.session(w, r))
	if a == nil {
		reply(w, http.StatusUnauthorized, map[string]any{"error": "Sign in first."})
		return
	}
	s.mu.Lock()
	p := a.person()
	s.mu.Unlock()
	reply(w, 200, p)
}

func (s *Site) wizardSave(w http.ResponseWriter, r *http.Request) {
	ss := s.session(w, r)
	a := s.member(ss)
	if a == nil {
		reply(w, http.StatusUnauthorized, map[string]any{"error": "Sign in first."})
		return
	}
	var b person
	if !asked(w, r, ss, &b) {
		return
	}
	why := ""
	if utf8.RuneCountInString(b.Bio) > 300 {
		why = "The bio is limited to 300 characters."
	}
	for _, link := range append([]string{b.Website}, b.Links...) {
		if link != "" && !webAddress(link) {
			why = "Links must start with http:// or https://."
		}
	}
	if why != "" {
		reply(w, http.StatusUnprocessableEntity, map[string]any{"error": why})
		return
	}
	s.change(func() {
		a.Name = strings.TrimSpace(b.Name)
		if a.Name == "" {
			a.Name = a.Username
		}
		a.Profile["bio"], a.Profile["location"], a.Profile["website"] = b.Bio, b.Location, b.Website
		a.Links = nil
		for _, link := range b.Links {
			if link != "" {
				a.Links = append(a.Links, link)
			}
		}
		a.Saves++
	})
	reply(w, 200, map[string]any{"saved": true})
}
