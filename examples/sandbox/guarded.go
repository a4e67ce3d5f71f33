package sandbox

import (
	"math/rand/v2"
	"net/http"
	"strings"
)

// guarded is the site that asks for a person: whoever wants to sign up first
// types the word of a picture.
func (s *Site) guarded() http.Handler {
	mux := http.NewServeMux()
	show := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { s.boardPage(w, r, 200, name, nil) }
	}
	mux.HandleFunc("GET /{$}", show("guarded-home"))
	mux.HandleFunc("GET /join", s.guardedJoin)
	mux.HandleFunc("POST /join", s.guardedJoinPost)
	mux.HandleFunc("POST /join/check", s.guardedCheck)
	mux.HandleFunc("GET /picture/{id}", s.guardedPicture)
	mux.HandleFunc("GET /welcome", show("guarded-welcome"))
	mux.HandleFunc("GET /login", show("guarded-login"))
	mux.HandleFunc("POST /login", s.guardedLogin)
	mux.HandleFunc("POST /logout", s.logout("/"))
	mux.HandleFunc("GET /me", s.guardedMe)
	mux.HandleFunc("POST /me", s.guardedSave)
	mux.HandleFunc("GET /members/{name}", func(w http.ResponseWriter, r *http.Request) {
		ss := s.session(w, r)
		if who, ok := s.Account(r.PathValue("name")); ok {
			s.boardRender(w, ss, 200, "guarded-member", nil, &who)
			return
		}
		s.boardRender(w, ss, http.StatusNotFound, "guarded-nobody", nil, nil)
	})
	mux.HandleFunc("GET /static/{file}", s.static)
	return mux
}

// Word is what the picture of the newest challenge says. A test plays the
// person with it; no driver can read it.
func (s *Site) Word() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lastWord
}

// challenge shows a new picture.
func (s *Site) challenge(w http.ResponseWriter, ss *session, f *form) {
	id := s.tokens.next()
	word := make([]byte, 6)
	for i := range word {
		word[i] = "abcdefghjkmnpqrstuvwxyz"[rand.IntN(23)]
	}
	s.change(func() {
		delete(s.words, ss.picture)
		ss.picture, s.words[id], s.lastWord = id, string(word), string(word)
	})
	if f == nil {
		f = &form{}
	}
	f.Notice = "/picture/" + id
	s.boardRender(w, ss, http.StatusOK, "guarded-challenge", f, nil)
}

func (s *Site) guardedPicture(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	word := s.words[r.PathValue("id")]
	s.mu.Unlock()
	if word == "" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(lettered(word))
}

func (s *Site) human(ss *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return ss.human
}

func (s *Site) guardedJoin(w http.ResponseWriter, r *http.Request) {
	ss := s.session(w, r)
	if !s.human(ss) {
		s.challenge(w, ss, nil)
		return
	}
	s.boardRender(w, ss, 200, "guarded-join", nil, nil)
}

func (s *Site) guardedCheck(w http.ResponseWriter, r *http.Request) {
	ss := s.session(w, r)
	if err := r.ParseForm(); err != nil || r.PostForm.Get("csrf_token") != ss.csrf {
		forged(w)
		return
	}
	right := false
	s.change(func() {
		word := s.words[ss.picture]
		right = word != "" && strings.EqualFold(strings.TrimSpace(r.PostForm.Get("word")), word)
		delete(s.words, ss.picture)
		ss.human = ss.human || right
	})
	if !right {
		s.challenge(w, ss, &form{Errors: []string{"That is not the word. Here is another picture."}})
		return
	}
	http.Redirect(w, r, "/join", http.StatusSeeOther)
}

func (s *Site) guardedJoinPost(w http.ResponseWriter, r *http.Request) {
	index, fault := s.arrive(w, r)
	ss := s.session(w, r)
	if err := r.ParseForm(); err != nil || r.PostForm.Get("csrf_token") != ss.csrf {
		forged(w)
		return
	}
	if !s.human(ss) {
		s.challenge(w, ss, nil)
		return
	}
	f := &form{Values: r.PostForm}
	name, email := strings.TrimSpace(f.Value("username")), strings.TrimSpace(f.Value("email"))
	if !guardedName.MatchString(name) {
		f.Errors = append(f.Errors, "Usernames have 3 to 24 lower-case letters or digits.")
	}
	if !looksLikeMail(email) {
		f.Errors = append(f.Errors, s.wording(RefuseInvalid))
	}
	if !strong(f.Value("password")) {
		f.Errors = append(f.Errors, s.wording(RefuseWeak))
	}
	if len(f.Errors) == 0 {
		a, why, answer := s.commit(w, r, index, fault, func() (*Account, string) {
			if s.findLocked(name) != nil || s.findLocked(email) != nil {
				return nil, s.wording(RefuseTaken)
			}
			return s.createLocked(Account{Username: name, Email: email, Password: f.Value("password"), Confirmed: true}), ""
		})
		if !answer {
			return
		}
		if a != nil {
			s.signIn(w, r, a)
			http.Redirect(w, r, "/welcome", http.StatusSeeOther)
			return
		}
		f.Errors = append(f.Errors, why)
	}
	s.boardRender(w, ss, http.StatusOK, "guarded-join", f, nil)
}

func (s *Site) guardedLogin(w http.ResponseWriter, r *http.Request) {
	ss := s.session(w, r)
	if err := r.ParseForm(); err != nil || r.PostForm.Get("csrf_token") != ss.csrf {
		forged(w)
		return
	}
	f := &form{Values: r.PostForm}
	if a := s.authenticate(f.Value("username"), f.Value("password")); a != nil {
		s.signIn(w, r, a)
		http.Redirect(w, r, "/me", http.StatusSeeOther)
		return
	}
	f.Errors = []string{"The username or password is incorrect."}
	s.boardRender(w, ss, http.StatusOK, "guarded-login", f, nil)
}

func (s *Site) guardedMe(w http.ResponseWriter, r *http.Request) {
	ss := s.session(w, r)
	a := s.member(ss)
	if a == nil {
		http.Redirect(w, r, "/login", http.StatusSeeOther)
		return
	}
	s.mu.Lock()
	f := &form{Values: map[string][]string{"about": {a.Profile["about"]}, "website": {a.Profile["website"]}}}
	s.mu.Unlock()
	if r.URL.Query().Has("updated") {
		f.Notice = "Your page was updated."
	}
	s.boardRender(w, ss, 200, "guarded-me", f, nil)
}

func (s *Site) guardedSave(w http.ResponseWriter, r *http.Request) {
	ss := s.session(w, r)
	a := s.member(ss)
	if err := r.ParseForm(); err != nil || a == nil || r.PostForm.Get("csrf_token") != ss.csrf {
		forged(w)
		return
	}
	f := &form{Values: r.PostForm}
	if v := f.Value("website"); v != "" && !webAddress(v) {
		f.Errors = []string{"The website must start with http:// or https://."}
		s.boardRender(w, ss, 200, "guarded-me", f, nil)
		return
	}
	s.change(func() {
		a.Profile["about"], a.Profile["website"] = strings.ReplaceAll(f.Value("about"), "\r\n", "\n"), f.Value("website")
		a.Saves++
	})
	http.Redirect(w, r, "/me?updated", http.StatusSeeOther)
}
