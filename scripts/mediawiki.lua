--- MediaWiki (1.35 and later): own password, a link by mail before editing, bio and links on the user page.
local words = require "lib.words"
local append = require "lib.append"

---@type rollcall.Driver
local driver = {
  api = 1, name = "mediawiki", version = "1.0.0", family = true,
  summary = "MediaWiki accounts, with a user page for bio and links",
  needs = { "username", "email", "password" },
  wants = { "full_name", "about", "website" },
  limits = {
    username = { min = 2, max = 40, chars = "A-Za-z0-9_.-" },
    password = { min = 10, classes = 3 },
    about = { max = 6000, format = "wikitext" },
  },
  options = {
    script = { "/index.php", "path of index.php" },
    real_name = { true, "also write the real name into the preferences" },
  },
  permissions = { "secret_fields:[name=captchaWord]", "secret_fields:[name=wpCaptchaWord]" },
  probe = { authoritative = true, settle = "2m" },
}

local refusal = { ".mw-message-box-error", ".errorbox", ".mw-parser-output > .error", "#mw-content-text .permissions-errors" }
-- The user's own corner, by skin.
local inside = { "#pt-userpage", "#pt-userpage-2", "#pt-logout", "body.is-authenticated" }
local box = "textarea[name=wpTextbox1]"

local said_no = {
  { code = "already_exists", field = "username", "đã có người lấy" },
  words,
}

local function special(task, name) return task.options.script .. "?title=Special:" .. name end

-- What ConfirmEdit asks is answered by a person: a question or a picture with a box, or a widget.
local function ask(page, field)
  if page:exists(field) then
    local label = "label[for=mw-input-captchaWord]"
    local question = page:exists(label) and page:text(label) or ""
    if question == "" then question = "Answer the question beside the box, or type the letters of the picture" end
    page:fill(field, page:ask("captcha", question))
  elseif page:exists { ".g-recaptcha", ".h-captcha", ".cf-turnstile" } then
    page:human("captcha", "Solve the captcha of the form, and send nothing")
  end
end

function driver.register(page, task)
  local seen, said = page:open(special(task, "CreateAccount"), { form = "[name=wpName]", closed = refusal })
  if seen == "closed" then return outcome.rejected("closed", said) end
  page:fields {
    username = "[name=wpName]", email = { "[name=email]", optional = true }, full_name = { "[name=realname]", optional = true },
  }
  page:fill("[name=wpPassword]", task.password)
  page:fill("[name=retype]", task.password)
  ask(page, "[name=captchaWord]")
  seen, said = page:commit("[name=wpCreateaccount]", { inside = inside, refused = refusal })
  if seen == "refused" then return outcome.refused(said, said_no) end
  return outcome.done()
end

-- What a refused sign-in means: wrong credentials, unless the site says otherwise.
local function not_inside(said)
  local why = outcome.refused(said, said_no)
  if why.code == "rate_limited" or why.code == "banned" or why.code == "captcha" then return why end
  return outcome.rejected("bad_credentials", said)
end

-- Fills the sign-in form that is open. Answers nil when inside.
local function sign_in(page, task)
  page:fill("[name=wpName]", task.username)
  page:fill("[name=wpPassword]", task.password)
  ask(page, "[name=captchaWord]")
  local seen, said = page:click("[name=wploginattempt]", { inside = inside, refused = refusal, code = "[name=OATHToken]" })
  if seen == "code" then
    page:fill("[name=OATHToken]", totp.code())
    seen, said = page:click("#mw-content-text form [type=submit]", { inside = inside, refused = refusal })
  end
  if seen == "refused" then return not_inside(said) end
  return nil
end

function driver.login(page, task)
  page:open(special(task, "UserLogin"), { form = "[name=wploginattempt]" })
  if page:exists(inside) then return outcome.done() end
  return sign_in(page, task) or outcome.done()
end

-- The page of the confirmation offers to send the mail again as long as the
-- address is unconfirmed; a wiki without confirmation has no such page.
function driver.confirm(page, task)
  local state = { open = "#mw-content-text", timeout = "30s" }
  page:open(special(task, "ConfirmEmail"), state)
  if page:exists("[name=wploginattempt]") then
    local wrong = sign_in(page, task)
    if wrong then return wrong end
    page:open(special(task, "ConfirmEmail"), state)
  elseif not page:exists(inside) then
    local got = driver.login(page, task)
    if got.status ~= "done" then return got end
    page:open(special(task, "ConfirmEmail"), state)
  end
  local unconfirmed = "#mw-content-text form.mw-htmlform [type=submit]"
  if page:exists(unconfirmed) then
    page:open(mail.wait { link = true }.link, state)
    page:open(special(task, "ConfirmEmail"), state)
    if page:exists(unconfirmed) then return outcome.blocked("mail_link", "the link of the mail did not confirm the address") end
  end
  return outcome.done()
end

-- Writes what the user page lacks. Returns what went wrong, or nil, and how much was added.
local function write(page, task, parts)
  local seen, said = page:open(task.options.script .. "?action=edit&title=User:" .. text.url(task.username),
    { form = box .. ":not([readonly])", locked = box .. "[readonly]", denied = refusal, signin = "[name=wploginattempt]" })
  if seen ~= "form" then
    return outcome.blocked("contact", "the account may not edit its user page: " .. said)
  end
  local content, added = append.to(page:attr(box, "value"), parts)
  if added == 0 then return nil, 0 end
  page:fill(box, content)
  ask(page, "[name=wpCaptchaWord]")
  local signs = { saved = "body.action-view", refused = refusal, captcha = "[name=wpCaptchaWord]" }
  seen, said = page:click("[name=wpSave]", signs)
  if seen == "captcha" then
    ask(page, "[name=wpCaptchaWord]")
    seen, said = page:click("[name=wpSave]", { saved = "body.action-view", refused = refusal, captcha = "[name=wpCaptchaWord]" })
    if seen == "captcha" then return outcome.blocked("captcha", "the answer to the captcha was not accepted"), 0 end
  end
  if seen == "refused" then return outcome.refused(said, said_no), 0 end
  return nil, added
end

local function links(list)
  local parts = {}
  for _, link in ipairs(list) do
    parts[#parts + 1] = { url = text.links("text", { link }), add = text.links("wikitext", { link }) }
  end
  return parts
end

-- The tab of the user page knows its address in the wiki's own language and style.
local function profile_page(page, task)
  local tab = "#ca-nstab-user a"
  if page:exists(tab) then
    local at = page:attr(tab, "href")
    if not at:find("redlink", 1, true) then return at end
  end
  return page:url(task.options.script .. "?title=User:" .. text.url(task.username))
end

function driver.profile(page, task)
  local parts = links(task.links)
  if task.about then table.insert(parts, 1, { add = task.about }) end
  local wrong, added = write(page, task, parts)
  if wrong then return wrong end
  local at = profile_page(page, task)
  local state, fields = added > 0 and "set" or "kept", {}
  if task.about then fields.about = state end
  if task.website then fields.website = state end
  if task.full_name and task.options.real_name then
    page:open(special(task, "Preferences"), { form = "#mw-prefs-form, form#preferences, #mw-content-text form" })
    if page:fields { full_name = { "[name=wprealname]", optional = true } } > 0 then
      local seen, said = page:click("#prefcontrol, #mw-prefs-form [type=submit]", { saved = { ".mw-notification-type-success", ".mw-notify-success", ".successbox", ".mw-message-box-success" }, refused = refusal })
      if seen == "refused" then page:note("full_name", "refused: " .. said) end
    end
  end
  return outcome.done { link_profile = at, fields = fields }
end

function driver.connect(page, task)
  local wrong = write(page, task, links(task.connect))
  if wrong then return wrong end
  return outcome.done { link_profile = profile_page(page, task) }
end

return driver
