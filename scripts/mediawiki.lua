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

-- What the wiki says above a form. What its script says beside a field is left
-- out: it asks whether a name is free while one types, and may hear "taken" when
-- the account was just made.
local refusal = { ".mw-message-box-error:not(.mw-input *)", ".errorbox:not(.mw-input *)", ".mw-parser-output > .error", "#mw-content-text .permissions-errors" }
-- The user's own corner, by skin.
local inside = { "#pt-userpage", "#pt-userpage-2", "#pt-logout", "body.is-authenticated" }
-- What the page itself shows once it is complete, by skin.
local saved = { "body.action-view #ca-nstab-user", "body.action-view #footer", "body.action-view footer" }
local box = "textarea[name=wpTextbox1]"

local said_no = {
  { code = "already_exists", field = "username", "đã có người lấy" },
  words,
}

local function special(task, name) return task.options.script .. "?title=Special:" .. name end

-- What ConfirmEdit asks is answered by a person: a question or a picture with a box, or a widget.
local function ask(page, field)
  if page:exists(field) then
    local say = "Answer the question beside the box, or type the letters of the picture"
    for _, at in ipairs { ".mw-htmlform-field-HTMLInfoField:has(+ * [name=captchaWord]) .mw-input", "label[for=wpCaptchaWord]", "label[for=mw-input-captchaWord]" } do
      if page:exists(at) then
        local question = page:text(at)
        if question ~= "" then say = question end
      end
    end
    page:fill(field, page:ask("captcha", say))
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
  seen, said = page:click("[name=wpSave]", { saved = saved, refused = refusal, captcha = "[name=wpCaptchaWord]" })
  if seen == "captcha" then
    ask(page, "[name=wpCaptchaWord]")
    seen, said = page:click("[name=wpSave]", { saved = saved, refused = refusal, captcha = "[name=wpCaptchaWord]" })
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

driver.tests = {
  { "signs up and is inside", phase = "register",
    site = { ["GET /index.php?title=Special:CreateAccount"] = "create.html", ["POST /index.php/Special:CreateAccount"] = "made.html" },
    want = { status = "done", commits = 1, fields = { username = "set", email = "set", full_name = "set" },
      sent = { ["POST /index.php/Special:CreateAccount"] = { wpName = "{username}", wpPassword = "{password}", retype = "{password}", email = "{email}", realname = "Ada Lovelace" } } } },
  { "a taken name is the site's answer", phase = "register",
    site = { ["GET /index.php?title=Special:CreateAccount"] = "create.html", ["POST /index.php/Special:CreateAccount"] = "taken.html" },
    want = { status = "rejected", code = "already_exists", field = "username", commits = 1 } },
  { "a check of the name that comes too late is no refusal", phase = "register",
    site = { ["POST /index.php/Special:CreateAccount"] = "made.html", ["GET /index.php?title=Special:CreateAccount"] = [[
      <form method=post action="/index.php/Special:CreateAccount"
        onsubmit="this.wpName.insertAdjacentHTML('afterend', '<div class=\'mw-message-box mw-message-box-error\'>Username entered already in use.</div>')">
      <div class=mw-input><input name=wpName></div><input name=email><input type=password name=wpPassword><input type=password name=retype>
      <button name=wpCreateaccount>Create your account</button></form>]] },
    want = { status = "done", commits = 1 } },
  { "a question is asked before anything is sent", phase = "register", human = { "skip" },
    site = { ["GET /index.php?title=Special:CreateAccount"] = "create-question-vi.html" },
    want = { status = "blocked", code = "captcha", commits = 0 } },
  { "a wrong answer is the site's answer, in its language", phase = "register", human = { "hopper" },
    site = { ["GET /index.php?title=Special:CreateAccount"] = "create-question-vi.html",
      ["POST /index.php/%C4%90%E1%BA%B7c_bi%E1%BB%87t:M%E1%BB%9F_t%C3%A0i_kho%E1%BA%A3n"] = "question-wrong-vi.html" },
    want = { status = "blocked", code = "captcha", commits = 1,
      sent = { ["POST /index.php/%C4%90%E1%BA%B7c_bi%E1%BB%87t:M%E1%BB%9F_t%C3%A0i_kho%E1%BA%A3n"] = { captchaWord = "hopper" } } } },
  { "opens the link of the mail when the address is unconfirmed", phase = "confirm",
    mail = { { subject = "Garden email address confirmation", body = "open this link in your browser:\n\n{base}/index.php/Special:ConfirmEmail/0123abcd\n\nto cancel:\n\n{base}/index.php/Special:InvalidateEmail/0123abcd\n" } },
    site = { ["GET /index.php?title=Special:ConfirmEmail"] = { "unconfirmed.html", "confirmed.html" }, ["GET /index.php/Special:ConfirmEmail/0123abcd"] = "confirmed.html" },
    want = { status = "done" } },
  { "waits for the mail", phase = "confirm", site = { ["GET /index.php?title=Special:ConfirmEmail"] = "unconfirmed.html" },
    want = { status = "waiting", code = "pending" } },
  { "has nothing to confirm where the wiki asks for none", phase = "confirm",
    site = { ["GET /index.php?title=Special:ConfirmEmail"] = "confirmed.html" }, want = { status = "done" } },
  { "signs in", phase = "login",
    site = { ["GET /index.php?title=Special:UserLogin"] = "login.html", ["POST /index.php/Special:UserLogin"] = "made.html" },
    want = { status = "done", sent = { ["POST /index.php/Special:UserLogin"] = { wpName = "{username}", wpPassword = "{password}" } } } },
  { "a wrong password is the site's answer", phase = "login",
    site = { ["GET /index.php?title=Special:UserLogin"] = "login.html", ["POST /index.php/Special:UserLogin"] = "wrong.html" },
    want = { status = "rejected", code = "bad_credentials" } },
  { "writes bio and links on the user page", phase = "profile",
    site = { ["GET /index.php?action=edit&title=User:ada_l"] = "edit.html", ["POST /index.php?title=User:Ada_l&action=submit"] = "shown.html",
      ["GET /index.php?title=Special:Preferences"] = "preferences.html" },
    want = { status = "done", link_profile = "{base}/index.php/User:Ada_l", fields = { about = "set", website = "set", full_name = "kept" },
      sent = { ["POST /index.php?title=User:Ada_l&action=submit"] = { wpTextbox1 = "I write '''notes''' on engines.\r\n\r\n* https://ada.example.org/\r\n* https://x.com/ada_l\r\n* https://github.com/ada" } } } },
  { "leaves a page that has it all", phase = "profile", task = { social = { "x.com/ada_l" } }, options = { real_name = false },
    site = { ["GET /index.php?action=edit&title=User:ada_l"] = "edit-again.html" },
    want = { status = "done", link_profile = "{base}/index.php/User:Ada_l", fields = { about = "kept", website = "kept" } } },
  { "says why the page can't be edited", phase = "profile", site = { ["GET /index.php?action=edit&title=User:ada_l"] = "denied.html" },
    want = { status = "blocked", code = "contact" } },
  { "adds only the links that are missing", phase = "connect", task = { connect = { "x.com/ada_l", "x.com/ada" } },
    site = { ["GET /index.php?action=edit&title=User:ada_l"] = "edit-again.html", ["POST /index.php?title=User:Ada_l&action=submit"] = "shown.html" },
    want = { status = "done", sent = { ["POST /index.php?title=User:Ada_l&action=submit"] = { wpTextbox1 = "I write '''notes''' on engines.\r\n\r\n* https://ada.example.org/\r\n* https://x.com/ada_l\r\n* https://x.com/ada" } } } },
}

return driver
