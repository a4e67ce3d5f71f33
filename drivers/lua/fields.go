package lua

import "github.com/rollcall-run/rollcall/core"

// TaskFields are the fields a driver may declare in needs and wants, in the
// order of the documentation.
var TaskFields = []string{
	core.FieldUsername, core.FieldEmail, core.FieldPassword, core.FieldFirstName, core.FieldLastName, FieldFullName,
	core.FieldPhone, core.FieldAddress, core.FieldLocation, core.FieldBirthday, core.FieldAbout, FieldAboutHTML,
	core.FieldWebsite, FieldAvatar, FieldCover, core.FieldAvatarURL, core.FieldCoverURL,
}

// Fields that the host makes from the entity's.
const (
	FieldFullName  = "full_name"  // first and last name; last name first where the site's language is Vietnamese
	FieldAboutHTML = "about_html" // about as the task manager sent it
	FieldAvatar    = "avatar"     // the fitted image, as a handle for page:upload
	FieldCover     = "cover"
)

// taskAlways are the fields of task that need no declaration.
var taskAlways = []string{"id", "domain", "attempt", "language", "options", "facts", "links", "social", "connect", "extra"}

// manifestKeys are the keys of a driver's table besides its phases.
var manifestKeys = []string{
	"api", "name", "version", "summary", "domains", "family", "hosts", "needs", "wants", "limits", "pace", "options",
	"engine", "dismiss", "probe", "public", "permissions", "skip", "tests",
}

// Keys of the tables within a manifest.
var (
	limitKeys = []string{"min", "max", "chars", "lower", "classes", "format", "keep_case"}
	assetKeys = []string{"max_width", "max_height", "min_width", "min_height", "kb", "formats", "square"}
	paceKeys  = []string{"every", "concurrency"}
	probeKeys = []string{"authoritative", "settle"}
	testKeys  = []string{"phase", "task", "facts", "options", "site", "mail", "human", "live", "want"}
	routeKeys = []string{"status", "redirect", "body", "type", "headers"}
	mailKeys  = []string{"from", "subject", "body", "link", "code"}
	wantKeys  = []string{"status", "code", "field", "facts", "fields", "link_profile", "commits", "sent"}
)

// Formats are the markups of text.to and of limits.
var Formats = []string{"text", "html", "markdown", "bbcode", "wikitext", "dokuwiki"}

// imageFormats are what an image can be turned into.
var imageFormats = []string{"png", "jpeg", "gif"}
