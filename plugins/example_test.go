package plugins_test

import (
	"context"
	"log/slog"
	"strings"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/plugins"
)

// forum signs up on a forum. A real driver works on the page of the session.
type forum struct{}

func (forum) Manifest() core.Manifest {
	return core.Manifest{
		API: core.ManifestAPI, Name: "forum", Version: "1.0.0", Summary: "accounts on forum.example",
		Domains: []string{"forum.example"}, Needs: []string{core.FieldUsername, core.FieldEmail, core.FieldPassword},
		Public: true, Phases: []core.Phase{core.Register},
	}
}

func (forum) Run(ctx context.Context, phase core.Phase, task core.Task, session core.Session) (core.Outcome, error) {
	if phase != core.Register {
		return core.Outcome{}, core.ErrNoPhase
	}
	username := task.Entity.Get(core.FieldUsername)
	if err := session.Services.Commit(ctx, "sign-up", core.Facts{core.FactUsername: username}); err != nil {
		return core.Outcome{}, err
	}
	said := submit(ctx, session, username)
	session.Services.Log(ctx, slog.LevelInfo, "the forum answered", "said", said)
	if strings.Contains(said, "closed") {
		return core.Outcome{Status: core.Rejected, Code: core.Closed, Reason: said}, nil
	}
	return core.Outcome{Status: core.Done}, session.Services.Committed(ctx, "sign-up")
}

func submit(context.Context, core.Session, core.Value) string { return "welcome" }

// The main function of a plugin.
func ExampleServe() {
	plugins.Serve(forum{})
}
