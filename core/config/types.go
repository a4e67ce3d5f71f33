package config

import "time"

// The comments in this file are also the help texts of the JSON schema, which
// reads them from here. Each field's comment ends with the default of defaults.go.

// Config is a rollcall.toml, read and checked. Paths in it are absolute.
type Config struct {
	// Secrets may stand in this file as plain text, which anyone who reads the file can then read too. Defaults to false.
	AllowLiteralSecrets bool `toml:"allow_literal_secrets"`

	State      State            `toml:"state"`
	Entity     Entity           `toml:"entity"`
	Store      Store            `toml:"store"`
	Browser    Browser          `toml:"browser"`
	Drivers    Drivers          `toml:"drivers"`
	Plugins    []Plugin         `toml:"plugin"`
	Sites      map[string]Site  `toml:"sites"`
	SitesFiles []SitesFile      `toml:"sites_file"`
	Assets     Assets           `toml:"assets"`
	Hoola      map[string]Hoola `toml:"hoola"`
	Mail       Mail             `toml:"mail"`
	Pace       DefaultPace      `toml:"pace"`
	Retry      Retry            `toml:"retry"`
	Human      Human            `toml:"human"`
	Lease      Lease            `toml:"lease"`
	Limits     Limits           `toml:"limits"`
	Log        Log              `toml:"log"`

	file    string
	secrets []Secret
}

// State is where the runner keeps its files.
type State struct {
	// Directory of the ledger, the control socket and the files of tasks; relative to this file. Defaults to var.
	Dir string `toml:"dir" path:"true"`
	// How long finished tasks are kept; what keeps an identity from being used twice stays. Defaults to 30d.
	Retention time.Duration `toml:"retention" min:"1h"`
}

// Entity is the task manager.
type Entity struct {
	// Address of the Entity API. Plain http is for loopback only. Defaults to https://manager.likepion.com/api/v1/entity.
	BaseURL string `toml:"base_url" url:"http https"`
	// Key of the Entity API: env:NAME or file:PATH. Defaults to none.
	APIKey Secret `toml:"api_key"`
	// Time between two lists while there is nothing new. Defaults to 15s.
	Poll time.Duration `toml:"poll" min:"1s" max:"24h"`
	// Tasks per list, 1 to 1000; doubles up to 1000 while a page brings nothing that can run. Defaults to 50.
	Limit int `toml:"limit" min:"1" max:"1000"`
	// Connect tasks are worked on too. Defaults to true.
	Connect bool `toml:"connect"`
	// No other system works on these tasks: a registering task that we meant to start is ours. Defaults to true.
	Exclusive bool `toml:"exclusive"`
	// Longest time that one call may take. Defaults to 30s.
	Timeout time.Duration `toml:"timeout" min:"1s" max:"10m"`

	States States `toml:"states"`
}

// States are the task manager's names of a task's states.
type States struct {
	// To be signed up. Defaults to register.
	Register string `toml:"register"`
	// Started by a runner. Defaults to registering.
	Registering string `toml:"registering"`
	// Signed up, profile and links done. Defaults to profiled.
	Profiled string `toml:"profiled"`
	// No account was made. Defaults to register_failed.
	RegisterFailed string `toml:"register_failed"`
	// The account exists, its profile is not done. Defaults to profile_failed.
	ProfileFailed string `toml:"profile_failed"`
	// Links are to be added to an account that exists. Defaults to connect.
	Connect string `toml:"connect"`
	// Adding links was started by a runner. Defaults to connecting.
	Connecting string `toml:"connecting"`
	// The links were added. Defaults to completed.
	Completed string `toml:"completed"`
	// The links could not be added. Defaults to connect_failed.
	ConnectFailed string `toml:"connect_failed"`
}

// Store is the ledger's database.
type Store struct {
	// Database: sqlite:PATH, or a postgres:// address that several runners share; env:NAME or file:PATH for an address with a password. Defaults to sqlite:var/rollcall.db.
	URL string `toml:"url"`
	// Master key that seals secrets at rest: file:PATH, env:NAME or cred:NAME (a systemd credential). Defaults to file:~/.config/rollcall/key.
	Key string `toml:"key"`
}

// Browser is the Chromium that serves the slots.
type Browser struct {
	// Tasks worked on at the same time; 0 means as many as cores and free memory allow. Defaults to 0.
	Slots int `toml:"slots" min:"0" max:"256"`
	// Chromium runs without a window. Defaults to true.
	Headless bool `toml:"headless"`
	// Chromium's sandbox; a runner started as root runs Chromium under an unprivileged user id. Defaults to true.
	Sandbox bool `toml:"sandbox"`
	// Chromium's program; none means that it is looked for. Defaults to none.
	Path string `toml:"path" path:"true"`
}

// Drivers is where your own driver scripts are.
type Drivers struct {
	// Directories of Lua drivers; one with the name of a bundled driver replaces it. Defaults to scripts.
	Scripts []string `toml:"scripts" path:"true"`
}

// Plugin is a driver that is a program of its own. It runs with your user's rights.
type Plugin struct {
	// The program. Defaults to none.
	Path string `toml:"path" path:"true" required:"true"`
	// SHA-256 of the program in hex; other bytes are not run. Defaults to none.
	SHA256 string `toml:"sha256" required:"true"`
	// Place is the file and line that names the plugin.
	Place string `toml:"-"`
}

// SitesFile is a CSV file with one site a row, under a header line with column
// names: domain, allowed, expires, driver, base_url, hosts (with spaces
// between), pace_every, concurrency, on_exists, max_per_day, language, engine, reuse.
type SitesFile struct {
	// The CSV file. Defaults to none.
	Path string `toml:"path" path:"true" required:"true"`
	// Place is the file and line that names the CSV file.
	Place string `toml:"-"`
}

// Assets is how avatars and covers are fetched.
type Assets struct {
	// Private hosts from which images may be fetched; public ones always may. Defaults to none.
	Allow []string `toml:"allow"`
}

// Hoola is a tenant of Hoola, whose accounts are made many at a time, under its domain.
type Hoola struct {
	// Domain is the tenant's, a lower-case A-label.
	Domain string `toml:"-"`
	// Place is the file and line that names the tenant.
	Place string `toml:"-"`

	// Basis on which accounts may be made by a program: it is yours (owner), you have a contract, or its terms allow it. Without one no call is made. Defaults to none.
	Allowed string `toml:"allowed" oneof:"owner contract terms"`
	// Last day of the basis, in UTC; no call is made after it. Defaults to none.
	Expires time.Time `toml:"expires"`
	// Token of the call: env:NAME or file:PATH. Defaults to none.
	Token Secret `toml:"token"`
	// Where the tenant really is; none means https://DOMAIN. Defaults to none.
	BaseURL string `toml:"base_url" url:"http https"`
	// Time from the end of a call to the start of the next; less than 10m for loopback addresses only. Defaults to 10m.
	Every time.Duration `toml:"every" min:"0s" max:"24h"`
	// Longest time of one call. Defaults to 5m.
	Timeout time.Duration `toml:"timeout" min:"1s" max:"30m"`
	// Users in one call, at most 100. Defaults to 100.
	Batch int `toml:"batch" min:"1" max:"100"`
	// How long tasks gather before a call goes out part-full. Defaults to 10m.
	MaxWait time.Duration `toml:"max_wait" min:"0s" max:"24h"`
	// Share of refused users in a call that holds the next call until a person says so. Defaults to 0.2.
	HoldAbove float64 `toml:"hold_above" min:"0" max:"1"`
	// Name of a task's user, of {first_name}, {last_name} and {username}. Defaults to {last_name} {first_name}.
	Name string `toml:"name"`
	// Address of a user's profile, with {userId} or {username}; without it no task of the domain is run. Defaults to none.
	ProfileURL string `toml:"profile_url"`
}

// Mail is how confirmation mail is read. Its further tables are mailboxes by
// the domain of the address, "*" for all others.
type Mail struct {
	// How long a slot waits for a mail before the task lets go of it. Defaults to 60s.
	Hold time.Duration `toml:"hold" min:"0s" max:"10m"`
	// How long a mail may take in all. Defaults to 30m.
	Within time.Duration `toml:"within" min:"1s" max:"48h"`
	// Mailboxes by the domain of the address.
	Boxes map[string]Mailbox `toml:",rest"`
}

// Mailbox is how to reach the mailboxes of one domain.
type Mailbox struct {
	// Server: imaps://HOST:PORT, or imap://HOST:PORT for STARTTLS (plain on loopback). Defaults to none.
	IMAP string `toml:"imap" url:"imap imaps" required:"true"`
	// Login name; {email} is the task's address, {user} and {domain} its parts. Defaults to {email}.
	User string `toml:"user"`
	// Passwords tried in order: task fields such as {app_password}, env:NAME or file:PATH. Defaults to {app_password}, {pass_mail}.
	Password []Secret `toml:"password" template:"true"`
}

// DefaultPace is how sites are visited that say nothing else.
type DefaultPace struct {
	// Time between the starts of two visits to a site. Defaults to 10s.
	Every time.Duration `toml:"every" min:"0s" max:"24h"`
	// Visits to a site at the same time. Defaults to 1.
	Concurrency int `toml:"concurrency" min:"1" max:"256"`
	// Tasks begun per site and UTC day across all runners; 0 means no quota. Defaults to 0.
	MaxPerDay int `toml:"max_per_day" min:"0"`
}

// Retry is how often, and how patiently, broken work is tried again.
type Retry struct {
	// Attempts of a task that breaks before its sign-up was sent. Defaults to 3.
	Attempts int `toml:"attempts" min:"1" max:"100"`
	// Shortest wait before another attempt; doubles, with jitter. Defaults to 5s.
	BackoffMin time.Duration `toml:"backoff_min" min:"100ms" max:"24h"`
	// Longest wait before another attempt. Defaults to 10m.
	BackoffMax time.Duration `toml:"backoff_max" min:"100ms" max:"24h"`
	// The same cause so many times in a row pauses the site. Defaults to 5.
	PauseAfter int `toml:"pause_after" min:"1"`
	// How long a site is paused at first; doubles up to a day. Defaults to 10m.
	PauseFor time.Duration `toml:"pause_for" min:"1s" max:"24h"`
	// How long a task may wait for its site in all. Defaults to 48h.
	WaitMax time.Duration `toml:"wait_max" min:"1m"`
	// Shortest wait before a report is sent again; doubles, with jitter, for ever. Defaults to 1s.
	ReportMin time.Duration `toml:"report_min" min:"100ms" max:"24h"`
	// Longest wait before a report is sent again. Defaults to 5m.
	ReportMax time.Duration `toml:"report_max" min:"100ms" max:"24h"`
}

// Human is how long a task waits for a person.
type Human struct {
	// How long the page stays open for a person. Defaults to 10m.
	Hold time.Duration `toml:"hold" min:"0s" max:"24h"`
	// How long a question stays open before its task ends. Defaults to 72h.
	Expires time.Duration `toml:"expires" min:"1m"`
}

// Lease is how runners hold tasks.
type Lease struct {
	// How long a task stays a runner's without a sign of life. Defaults to 30s.
	Duration time.Duration `toml:"duration" min:"1s" max:"10m"`
	// Time between two signs of life; at most half the duration. Defaults to 10s.
	Heartbeat time.Duration `toml:"heartbeat" min:"100ms" max:"5m"`
}

// Limits bound one piece of work.
type Limits struct {
	// Longest time of one phase, waits for mail and people not counted. Defaults to 10m.
	Phase time.Duration `toml:"phase" min:"1s" max:"24h"`
	// Memory of one driver process in MB. Defaults to 256.
	WorkerMB int `toml:"worker_mb" min:"64" max:"16384"`
	// Largest answer of the task manager to a list, in MB. Defaults to 8.
	ListMB int `toml:"list_mb" min:"1" max:"1024"`
	// Largest task of the task manager, in MB. Defaults to 1.
	ItemMB int `toml:"item_mb" min:"1" max:"64"`
}

// Log is what is printed while rollcall runs.
type Log struct {
	// Least important kind of line that is printed. Defaults to info.
	Level string `toml:"level" oneof:"debug info warn error"`
	// Form of a line: text, json, or auto, which is text on a terminal and json elsewhere. Defaults to auto.
	Format string `toml:"format" oneof:"auto text json"`
}

// Site is one site that may be run, under its domain.
type Site struct {
	// Domain is the site's, a lower-case A-label.
	Domain string `toml:"-"`
	// Place is the file and line that names the site.
	Place string `toml:"-"`

	// Basis on which the site may be automated: it is yours (owner), you have a contract, or its terms allow it. Without one it never runs. Defaults to none.
	Allowed string `toml:"allowed" oneof:"owner contract terms"`
	// Last day of the basis, in UTC; the site does not run after it. Defaults to none.
	Expires time.Time `toml:"expires"`
	// Driver, where none names the domain itself or another is wanted. Defaults to none.
	Driver string `toml:"driver"`
	// Where the site really is; none means https://DOMAIN. Defaults to none.
	BaseURL string `toml:"base_url" url:"http https"`
	// Hosts that its pages need besides the site, as HOST or *.HOST. Defaults to none.
	Hosts []string `toml:"hosts"`

	Pace Pace `toml:"pace"`

	// What shows the driver its pages, instead of what the driver says: browser, or http, which is plain HTML without one. Defaults to none.
	Engine string `toml:"engine" oneof:"browser http"`
	// When the account exists already: fail, adopt it if the task's credentials open it, or try a variant of the username. Defaults to fail.
	OnExists string `toml:"on_exists" oneof:"fail adopt variant"`
	// Tasks begun per UTC day across all runners; 0 means what [pace] says. Defaults to 0.
	MaxPerDay int `toml:"max_per_day" min:"0"`
	// Who accepts the site's terms: a person is asked, or accept (you have read them). Defaults to person.
	Terms string `toml:"terms" oneof:"person accept"`
	// Language that the browser asks for, such as en or pt-BR. Defaults to none.
	Language string `toml:"language"`
	// The next task of the site goes on in the browser context and tab of the last one, emptied in between, which takes less processor time and starts sooner. What is lost: people's tasks share a renderer process, one after the other, and the site can tell that it is the same browser. Drivers that are programs, or that download files, always start afresh. Defaults to false.
	Reuse bool `toml:"reuse"`
	// Settings of the site's driver, by name: texts, numbers, true or false. Defaults to none.
	Options map[string]any `toml:"options"`
}

// Pace is how often one site is visited. A faster pace than the driver's counts
// on a site of your own only (allowed = "owner").
type Pace struct {
	// Time between the starts of two visits; none means the driver's, else what [pace] says. Defaults to none.
	Every time.Duration `toml:"every" min:"0s" max:"24h"`
	// Visits at the same time; 0 means the driver's, else what [pace] says. Defaults to 0.
	Concurrency int `toml:"concurrency" min:"0" max:"256"`
}

// Expired reports whether the basis has ended at now.
func (h Hoola) Expired(now time.Time) bool { return !h.Expires.IsZero() && !now.Before(h.Expires) }

// Expired reports whether the basis has ended at now.
func (s Site) Expired(now time.Time) bool { return !s.Expires.IsZero() && !now.Before(s.Expires) }
