package browser_test

import (
	"context"
	"slices"
	"testing"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/plugins"
	"github.com/rollcall-run/rollcall/plugins/browser"
	"github.com/rollcall-run/rollcall/plugins/outcome"
)

// byHand is a driver without browser.New.
type byHand struct{}

func (byHand) Manifest() core.Manifest {
	m := manifest
	m.Phases = []core.Phase{core.Register}
	return m
}

func (byHand) Run(ctx context.Context, _ core.Phase, _ core.Task, session core.Session) (core.Outcome, error) {
	page := browser.Attach(ctx, session)
	defer page.Close()
	page.Open("/join", browser.Signs{"form": "#user"})
	page.Fill("#pass", page.Task().Get(core.FieldPassword))
	_, said := page.Commit("#go", browser.Signs{"made": ".made"})
	return page.Finish(outcome.Done(core.Facts{"said": core.Text(said)}))
}

// TestADriverAttachesByItself over a plugin connection, which carries what the
// page has to know of the run.
func TestADriverAttachesByItself(t *testing.T) {
	v := newVisitor(t)
	ctx, stop := context.WithCancel(t.Context())
	address, over := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(over)
		plugins.ServeUntil(ctx, byHand{}, func(a string) { address <- a })
	}()
	defer func() { stop(); <-over }()
	client, hangUp, err := plugins.Dial(<-address)
	if err != nil {
		t.Fatal(err)
	}
	defer hangUp()
	o, err := client.Run(t.Context(), plugins.DriverRef{}, core.Register, task(), v.session)
	if err != nil || o.Facts["said"].Reveal() != "Welcome, •••" || v.commits != 1 {
		t.Errorf("%+v %v, %d commits", o, err, v.commits)
	}
	if want := "land=fr&mail=&pass=Lantern-Harbour-42&user="; !slices.Equal(v.posts, []string{want}) {
		t.Errorf("sent %q", v.posts)
	}
}
