package main_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// TestASiteRunsWithoutABrowser takes a task of the board, picture included, through
// the worker's process with the site's engine set to http.
func TestASiteRunsWithoutABrowser(t *testing.T) {
	w := newWorld(t, settings{})
	images, err := json.Marshal([]map[string]any{{"type": "avatar", "urls": []string{w.sb.Images.Avatar("plain")}}})
	if err != nil {
		t.Fatal(err)
	}
	task := sandbox.Task{
		ID: "5a9d0b00-0000-4000-8000-000000000901", RequestID: "5a9d0b00-0000-4000-9000-000000000001", Domain: w.sb.Board.Domain,
		Email: "plain@mail.sandbox.test", Username: "plain", AppPassword: w.sb.Mail.Password, Password: canaryPassword + "plain",
		FirstName: "An", LastName: "Trần", Website: "https://example.com/plain", About: "<p>plain writes.</p>", Location: "Hà Nội",
		Status: sandbox.StateRegister, Images: images,
	}
	w.tasks = append(w.tasks, task)
	w.sb.Manager.Add(task)
	w.add(w.sb.Board, sandbox.StateConnect, 1)
	site := fmt.Sprintf("[sites.%q]\n", w.sb.Board.Domain)
	r := w.start(w.config("plain", site, site+"engine = \"http\"\n"), "--once")
	if code := r.end(patience); code != exitDone {
		t.Fatalf("ended with %d\n%s", code, r.tail())
	}
	w.checkDone()
	account, ok := w.sb.Board.Account("plain")
	if !ok || len(account.Avatar) == 0 {
		t.Errorf("the picture is not on the profile: %v", ok)
	}
	for _, sub := range w.sb.Board.Submits() {
		if sub.Reused {
			t.Error("a sign-up went over a connection that had been used")
		}
	}
}
