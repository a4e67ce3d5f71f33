package config

import (
	"reflect"
	"time"

	"github.com/rollcall-run/rollcall/core"
)

// Default returns the configuration of an empty file. Its relative paths are
// not resolved yet. A test compares it with the comments of the fields.
func Default() *Config {
	names := core.DefaultStateNames
	return &Config{
		State: State{Dir: "var", Retention: 30 * day},
		Entity: Entity{
			BaseURL: "https://manager.likepion.com/api/v1/entity",
			Poll:    15 * time.Second, Limit: 50, Connect: true, Exclusive: true, Timeout: 30 * time.Second,
			States: States(names),
		},
		Store:   Store{URL: "sqlite:var/rollcall.db", Key: "file:~/.config/rollcall/key"},
		Browser: Browser{Headless: true, Sandbox: true},
		Drivers: Drivers{Scripts: []string{"scripts"}},
		Mail:    Mail{Hold: time.Minute, Within: 30 * time.Minute},
		Pace:    DefaultPace{Every: 10 * time.Second, Concurrency: 1},
		Retry: Retry{
			Attempts: 3, BackoffMin: 5 * time.Second, BackoffMax: 10 * time.Minute,
			PauseAfter: 5, PauseFor: 10 * time.Minute, WaitMax: 48 * time.Hour,
			ReportMin: time.Second, ReportMax: 5 * time.Minute,
		},
		Human:  Human{Hold: 10 * time.Minute, Expires: 72 * time.Hour},
		Lease:  Lease{Duration: 30 * time.Second, Heartbeat: 10 * time.Second},
		Limits: Limits{Phase: 10 * time.Minute, WorkerMB: 256, ListMB: 8, ItemMB: 1},
		Log:    Log{Level: "info", Format: "auto"},
	}
}

// element is the default of what stands in a list or in a table of tables.
func element(t reflect.Type) reflect.Value {
	v := reflect.New(t).Elem()
	switch e := v.Addr().Interface().(type) {
	case *Site:
		*e = Site{OnExists: "fail", Terms: "person"}
	case *Hoola:
		*e = Hoola{Every: 10 * time.Minute, Timeout: 5 * time.Minute, Batch: 100, MaxWait: 10 * time.Minute, HoldAbove: 0.2, Name: "{last_name} {first_name}"}
	case *Mailbox:
		*e = Mailbox{User: "{email}", Password: []Secret{Template("{app_password}"), Template("{pass_mail}")}}
	}
	return v
}

// day is what "d" means in a duration.
const day = 24 * time.Hour
