---@meta rollcall
-- The driver API for editors that speak LuaLS. Nothing here runs.
-- A test holds this file and the host to the same names.

---A locator: css (also `css=`), `label=`, `role=button[name=Save]`, `text=`, `placeholder=`, `testid=`, `xpath=`;
---`A >> B` is B inside A, through frames and shadow roots. A list is tried together, the first that matches wins.
---@alias rollcall.Locator string|string[]

---What may happen, by label: `{ saved = "#ok", refused = ".error", timeout = "30s" }`. A sign is a locator,
---`"url=part"` (path and query, `*` matches anything) or `"gone=locator"`.
---@alias rollcall.Signs table<string, rollcall.Locator>

---A secret: it can be passed to a verb, and to nothing else.
---@class rollcall.Secret

---An image of the task, for page:upload.
---@class rollcall.Asset

---@alias rollcall.Text string|rollcall.Secret
---@alias rollcall.Format "text"|"html"|"markdown"|"bbcode"|"wikitext"|"dokuwiki"
---@alias rollcall.WaitingCode "rate_limited"|"site_down"|"pending"
---@alias rollcall.RejectedCode "already_exists"|"invalid_input"|"bad_credentials"|"banned"|"closed"
---@alias rollcall.BlockedCode "captcha"|"otp_sms"|"otp_app"|"mail_link"|"terms"|"kyc"|"payment"|"contact"

---@alias rollcall.Field
---| "username" | "email" | "password" | "first_name" | "last_name" | "full_name" | "phone" | "address" | "location"
---| "birthday" | "about" | "about_html" | "website" | "avatar" | "cover" | "avatar_url" | "cover_url"

---The driver's table: what it is, what it needs, and its phases.
---@class rollcall.Driver
---@field api 1 version of this API
---@field name string lower-case letters, digits, - and _
---@field version string three numbers, "1.0.0"
---@field summary string one line
---@field domains? string[] the sites it is for; a family driver has none
---@field family? boolean for software that runs on many sites, bound to them by configuration
---@field hosts? string[] what its pages need besides the site: a host or *.host
---@field needs? rollcall.Field[] fields without which a task can't be run
---@field wants? rollcall.Field[] fields that are used when the task has them
---@field limits? table<rollcall.Field, rollcall.Limit|rollcall.ImageLimit>
---@field pace? rollcall.Pace how often the site may be visited
---@field options? table<string, { [1]: string|number|boolean, [2]: string }> settings per site: default and help
---@field engine? "browser"|"http"|table<string, "browser"|"http"> what shows the pages, in all phases or by phase; http is plain HTML
---@field dismiss? string[] locators of banners that are clicked when they are in the way
---@field probe? rollcall.Probe
---@field public? boolean false when profiles can't be read logged-out
---@field permissions? string[] "downloads", "secret_fields:LOCATOR"
---@field skip? string why the driver does not work at present
---@field tests? rollcall.Test[]
---@field register? fun(page: rollcall.Page, task: rollcall.Task): rollcall.Outcome fills the form, commits, returns at the first answer
---@field confirm? fun(page: rollcall.Page, task: rollcall.Task): rollcall.Outcome what follows the commit; may be entered again
---@field login? fun(page: rollcall.Page, task: rollcall.Task): rollcall.Outcome signs in
---@field profile? fun(page: rollcall.Page, task: rollcall.Task): rollcall.Outcome writes what is missing
---@field connect? fun(page: rollcall.Page, task: rollcall.Task): rollcall.Outcome adds task.connect
---@field verify? fun(page: rollcall.Page, task: rollcall.Task): rollcall.Outcome says whether the account exists

---What a text field of the site accepts.
---@class rollcall.Limit
---@field min? integer characters
---@field max? integer characters
---@field chars? string allowed characters, the inside of a class: "a-z0-9_.-"
---@field lower? boolean lower case only
---@field classes? integer passwords: how many of lower, upper, digit, other
---@field format? rollcall.Format
---@field keep_case? boolean names that differ in case are different accounts

---What an image must be.
---@class rollcall.ImageLimit
---@field max_width? integer pixels
---@field max_height? integer pixels
---@field min_width? integer pixels
---@field min_height? integer pixels
---@field kb? integer kilobytes
---@field formats? ("png"|"jpeg"|"gif")[] the first is what others become
---@field square? boolean cropped to the middle

---@class rollcall.Pace
---@field every? string "10s"
---@field concurrency? integer

---How far a failed login proves that there is no account.
---@class rollcall.Probe
---@field authoritative? boolean
---@field settle? string "2m"

---A test: `{ "what it shows", phase = "login", site = { ["GET /"] = "page.html" }, want = { status = "done" } }`.
---@class rollcall.Test
---@field phase string
---@field task? table fields of the task
---@field facts? table<string, string>
---@field options? table
---@field site? table<string, string|rollcall.Route|(string|rollcall.Route)[]> "GET /path?query" → file in testdata, HTML, or a list of successive answers
---@field mail? rollcall.TestMail[]
---@field human? string[] answers in order; "skip" is nobody there
---@field live? string name of a site of one's own
---@field want rollcall.Want

---@class rollcall.Route
---@field status? integer
---@field redirect? string
---@field body? string
---@field type? string content type
---@field headers? table<string, string>

---@class rollcall.TestMail
---@field from? string
---@field subject? string
---@field body? string {base} is the site's address
---@field link? string
---@field code? string

---@class rollcall.Want
---@field status string
---@field code? string
---@field field? string
---@field facts? table<string, string>
---@field fields? table<string, string>
---@field link_profile? string
---@field commits? integer
---@field sent? table<string, table<string, string>> "POST /x" → form fields, with {placeholders} such as {password}

---The task. Only declared fields can be read; a declared field that the task lacks is nil.
---@class rollcall.Task
---@field id string
---@field domain string
---@field attempt integer
---@field language? string of the site's context, "en"
---@field options table<string, string|number|boolean> the driver's options as the site sets them
---@field facts table<string, rollcall.Text> what earlier phases learnt
---@field links string[] website and social together
---@field social table<string, string> by network: social.facebook, social.x
---@field connect string[] what the connect phase adds
---@field extra table fields that the protocol does not name
---@field username? string the effective one
---@field email? string
---@field password? rollcall.Secret the effective one
---@field first_name? string
---@field last_name? string
---@field full_name? string last name first where the site's language is Vietnamese
---@field phone? string
---@field address? string
---@field location? string
---@field birthday? string
---@field about? string in the format and length of limits.about
---@field about_html? string as the task manager sent it
---@field website? string
---@field avatar? rollcall.Asset
---@field cover? rollcall.Asset
---@field avatar_url? string
---@field cover_url? string

---An outcome, read-only.
---@class rollcall.Outcome
---@field status "done"|"waiting"|"rejected"|"blocked"|"absent"
---@field code? string
---@field reason? string

---The page. A verb that can change it takes signs last and returns the label of the one that came and what it said.
---@class rollcall.Page
local page = {}

---Goes to a path, an address or a link from a mail.
---@param to rollcall.Text
---@param signs? rollcall.Signs
---@return string label, string said
function page:open(to, signs) end

---Sets a field at once and reads it back.
---@param loc rollcall.Locator
---@param value rollcall.Text
---@param signs? rollcall.Signs
---@return string label, string said
function page:fill(loc, value, signs) end

---Types key by key, for pages that need it.
---@param loc rollcall.Locator
---@param value rollcall.Text
---@param signs? rollcall.Signs
---@return string label, string said
function page:type(loc, value, signs) end

---Pastes HTML into a rich editor.
---@param loc rollcall.Locator
---@param html string
---@param signs? rollcall.Signs
---@return string label, string said
function page:paste(loc, html, signs) end

---Chooses by value, then by label; a list is alternatives.
---@param loc rollcall.Locator
---@param want string|string[]
---@param signs? rollcall.Signs
---@return string label, string said
function page:choose(loc, want, signs) end

---Sets a check box or radio button, on unless on is false.
---@param loc rollcall.Locator
---@param on? boolean
---@param signs? rollcall.Signs
---@return string label, string said
function page:check(loc, on, signs) end

---Presses a key in an element: "Enter", "Control+a".
---@param loc rollcall.Locator
---@param key string
---@param signs? rollcall.Signs
---@return string label, string said
function page:press(loc, key, signs) end

---Moves the pointer over an element.
---@param loc rollcall.Locator
---@param signs? rollcall.Signs
---@return string label, string said
function page:hover(loc, signs) end

---Clicks.
---@param loc rollcall.Locator
---@param signs? rollcall.Signs
---@return string label, string said
function page:click(loc, signs) end

---Uploads an image of the task into a file input or by a button that opens a chooser.
---@param loc rollcall.Locator
---@param asset rollcall.Asset
---@param signs? rollcall.Signs
---@return string label, string said
function page:upload(loc, asset, signs) end

---Fills what the task has and leaves what is right already.
---@param fields table<string, rollcall.Locator|{ [integer]: rollcall.Locator, optional?: boolean, value?: rollcall.Text|boolean|string[] }>
---@return integer changed how many controls were changed
function page:fields(fields) end

---Records what became of a field: "refused: …" or "hidden: …".
---@param field rollcall.Field|rollcall.Asset
---@param result string
function page:note(field, result) end

---Accepts the site's terms, or has a person do it.
---@param loc rollcall.Locator
---@param signs? rollcall.Signs
---@return string label, string said
function page:agree(loc, signs) end

---The one irreversible action, in register only: a locator to click, or a function.
---@param action rollcall.Locator|fun()
---@param signs rollcall.Signs
---@return string label, string said
function page:commit(action, signs) end

---Waits for a sign without an action before it.
---@param signs rollcall.Signs
---@return string label, string said
function page:await(signs) end

---Has a person act on the page. The phase may end here and be entered again.
---@param code rollcall.BlockedCode
---@param say string
---@param signs? rollcall.Signs
---@return string label, string said
function page:human(code, say, signs) end

---Has a person type an answer.
---@param code rollcall.BlockedCode
---@param say string
---@return rollcall.Secret
function page:ask(code, say) end

---Whether the element is there now.
---@param loc rollcall.Locator
---@return boolean
function page:exists(loc) end

---The element's text now.
---@param loc rollcall.Locator
---@return string
function page:text(loc) end

---An attribute now; href and src come as absolute addresses.
---@param loc rollcall.Locator
---@param name string
---@return string
function page:attr(loc, name) end

---The page's address, or that of a path on the site.
---@param path? string
---@return string
function page:url(path) end

---@class rollcall.outcome
outcome = {}

---@param what? { link_profile?: string, username?: string, email?: string, note?: string, facts?: table<string, rollcall.Text|number|boolean>, fields?: table<rollcall.Field, string> }
---@return rollcall.Outcome
function outcome.done(what) end

---@param code rollcall.WaitingCode
---@param more? { after?: string, reason?: string, facts?: table }
---@return rollcall.Outcome
function outcome.waiting(code, more) end

---@param code rollcall.RejectedCode
---@param reason? string
---@param more? { field?: rollcall.Field, facts?: table }
---@return rollcall.Outcome
function outcome.rejected(code, reason, more) end

---@param code rollcall.BlockedCode
---@param reason? string
---@return rollcall.Outcome
function outcome.blocked(code, reason) end

---There is no such account; in verify only.
---@param reason? string
---@return rollcall.Outcome
function outcome.absent(reason) end

---The code of what the site said, by phrases; invalid_input when none is known.
---@param said string
---@param words? table a rule, or a list of rules and further lists
---@return rollcall.Outcome
function outcome.refused(said, words) end

---@class rollcall.mail
mail = {}

---Waits for a mail to task.email, in confirm and login. The phase may end here and be entered again.
---@param query { link?: true|string|string[], code?: integer|string, from?: string, subject?: string, within?: string }
---@return { link?: rollcall.Secret, code?: rollcall.Secret, text?: rollcall.Secret, from?: string, subject?: string }
function mail.wait(query) end

---@class rollcall.totp
totp = {}

---The current code of the secret that is enrolled for this account.
---@return rollcall.Secret
function totp.code() end

---Takes the secret that the page shows into the runner.
---@param page rollcall.Page
---@param loc rollcall.Locator
function totp.enrol(page, loc) end

---@class rollcall.text
text = {}

---HTML in another format.
---@param format rollcall.Format
---@param html string
---@return string
function text.to(format, html) end

---A list of links in a format.
---@param format rollcall.Format
---@param urls string[]
---@return string
function text.links(format, urls) end

---Cuts at a word to n characters.
---@param s string
---@param n integer
---@return string
function text.fit(s, n) end

---Whether s says one of the phrases.
---@param s string
---@param phrases string|string[]
---@return boolean
function text.has(s, phrases) end

---The account's name in a profile's address.
---@param url string
---@return string
function text.handle(url) end

---Lower-case ASCII letters, digits and hyphens.
---@param s string
---@return string
function text.slug(s) end

---s as a part of a path.
---@param s string
---@return string
function text.url(s) end

---A line on the task's time line.
---@param message any
---@param values? table<string, any>
function log(message, values) end
