--- WordPress (5, 6): name and e-mail, then a link by mail to set the password; profile in wp-admin, shown on the author page.
local words = require "lib.words"
local append = require "lib.append"

---@type rollcall.Driver
local driver = {
  api = 1, name = "wordpress", version = "1.0.0", family = true,
  summary = "WordPress accounts, set-password mail, author profile",
  needs = { "username", "email", "password" },
  wants = { "first_name", "last_name", "about", "website" },
  limits = {
    username = { min = 1, max = 60, chars = "a-z0-9_.-", lower = true },
    password = { min = 12, classes = 3 },
    about = { max = 2000, format = "text" },
  },
  options = { author = { "/author/", "where author pages live" } },
  dismiss = { "#cookie-notice [id*=accept]" },
}

local refusal = { "#login_error", ".notice-error:not(.hidden)", "div.error:not(.hidden)" }

-- What a refused sign-in means: wrong credentials, unless the site says otherwise.
local function not_inside(said)
  local why = outcome.refused(said, words)
  if why.code == "rate_limited" or why.code == "banned" or why.code == "captcha" then return why end
  return outcome.rejected("bad_credentials", said)
end

function driver.login(page, task)
  page:open("/wp-login.php", { form = "#user_login" })
  page:fill("#user_login", task.username)
  page:fill("#user_pass", task.password)
  local seen, said = page:click("#wp-submit", { inside = "#wpadminbar", refused = "#login_error" })
  if seen == "refused" then return not_inside(said) end
  return outcome.done()
end

function driver.register(page, task)
  local seen, said = page:open("/wp-login.php?action=register", { form = "#registerform", closed = "url=registration=disabled" })
  if seen == "closed" then return outcome.rejected("closed", "sign-up is closed") end
  page:fields { username = "#user_login", email = "#user_email" }
  if page:exists { ".g-recaptcha", ".h-captcha", ".cf-turnstile" } then
    page:human("captcha", "Solve the captcha of the form, and send nothing")
  end
  seen, said = page:commit("#wp-submit", { mail = "url=checkemail=registered", refused = "#login_error" })
  if seen == "refused" then return outcome.refused(said, words) end
  return outcome.done()
end

-- Entered after register, after a wait for the mail, and after a crash: the mail
-- itself proves the account. A link that was used leads on to the sign-in. The
-- page puts a password of its own into the field once its meter is loaded: only
-- after that can the task's be filled in.
function driver.confirm(page, task)
  local seen, said = page:open(mail.wait { link = { "action=rp" } }.link, { form = { "#pass-strength-result.strong", "#pass-strength-result.good", "#pass-strength-result.bad", "#pass-strength-result.short" }, old = "url=error=*key" })
  if seen == "old" then return driver.login(page, task) end
  page:fill("#pass1", task.password)
  seen, said = page:click("#wp-submit", { set = "gone=#resetpassform", refused = "#login_error" })
  if seen == "refused" then return outcome.refused(said, words) end
  return driver.login(page, task)
end

-- The name of the author page, as WordPress makes it of the user name.
local function profile_page(page, task)
  local nice = task.username:lower():gsub("[^a-z0-9_-]+", "-"):gsub("-+", "-"):gsub("^-", ""):gsub("-$", "")
  return page:url(task.options.author .. nice .. "/")
end

local function save(page, changed)
  if changed == 0 then return nil end
  local seen, said = page:click("#submit", { saved = { "#message.updated", ".notice-success" }, refused = refusal })
  if seen == "refused" then return outcome.refused(said, words) end
  return nil
end

-- The bio takes links as HTML.
local function links(list, but)
  local parts = {}
  for _, link in ipairs(list) do
    if link ~= but then
      local html = text.links("html", { link })
      parts[#parts + 1] = { url = html:match('href="(.-)"'), add = html:match("<a.*</a>") }
    end
  end
  return parts
end

function driver.profile(page, task)
  page:open("/wp-admin/profile.php", { form = "#description" })
  local parts = links(task.links, task.website)
  if task.about then table.insert(parts, 1, { add = task.about }) end
  local wrong = save(page, page:fields {
    first_name = { "#first_name", optional = true }, last_name = { "#last_name", optional = true },
    website = { "#url", optional = true }, about = { "#description", value = (append.to(page:attr("#description", "value"), parts)) },
  })
  if wrong then return wrong end
  return outcome.done { link_profile = profile_page(page, task) }
end

function driver.connect(page, task)
  page:open("/wp-admin/profile.php", { form = "#description" })
  local content, added = append.to(page:attr("#description", "value"), links(task.connect))
  if added > 0 then page:fill("#description", content) end
  local wrong = save(page, added)
  if wrong then return wrong end
  return outcome.done { link_profile = profile_page(page, task) }
end

driver.tests = {
  { "signs up and is told to look into the mail", phase = "register",
    site = { ["GET /wp-login.php?action=register"] = "register.html", ["POST /wp-login.php?action=register"] = { redirect = "/wp-login.php?checkemail=registered" },
      ["GET /wp-login.php?checkemail=registered"] = "checkmail.html" },
    want = { status = "done", commits = 1, fields = { username = "set", email = "set" },
      sent = { ["POST /wp-login.php?action=register"] = { user_login = "{username}", user_email = "{email}" } } } },
  { "a taken name and address are the site's answer", phase = "register",
    site = { ["GET /wp-login.php?action=register"] = "register.html", ["POST /wp-login.php?action=register"] = "taken.html" },
    want = { status = "rejected", code = "already_exists", field = "email", commits = 1 } },
  { "a site without sign-up is closed", phase = "register",
    site = { ["GET /wp-login.php?action=register"] = { redirect = "/wp-login.php?registration=disabled" }, ["GET /wp-login.php?registration=disabled"] = "login.html" },
    want = { status = "rejected", code = "closed", commits = 0 } },
  { "sets the password and signs in with it", phase = "confirm",
    mail = { { subject = "[Garden notes] Login Details", body = "To set your password, visit the following address:\n\n{base}/wp-login.php?action=rp&key=AbC&login=ada_l\n\n{base}/wp-login.php\n" } },
    site = { ["GET /wp-login.php?action=rp&key=AbC&login=ada_l"] = { redirect = "/wp-login.php?action=rp" }, ["GET /wp-login.php?action=rp"] = "reset.html",
      ["POST /wp-login.php?action=resetpass"] = "reset-done.html", ["GET /wp-login.php"] = "login.html", ["POST /wp-login.php"] = "inside.html" },
    want = { status = "done", sent = { ["POST /wp-login.php?action=resetpass"] = { pass1 = "{password}" }, ["POST /wp-login.php"] = { log = "{username}", pwd = "{password}" } } } },
  { "a link that was used leads on to the sign-in", phase = "confirm",
    mail = { { subject = "[Garden notes] Login Details", body = "{base}/wp-login.php?action=rp&key=AbC&login=ada_l" } },
    site = { ["GET /wp-login.php?action=rp&key=AbC&login=ada_l"] = { redirect = "/wp-login.php?action=lostpassword&error=invalidkey" },
      ["GET /wp-login.php?action=lostpassword&error=invalidkey"] = "reset-used.html", ["GET /wp-login.php"] = "login.html", ["POST /wp-login.php"] = "inside.html" },
    want = { status = "done" } },
  { "waits for the mail", phase = "confirm", site = { ["GET /wp-login.php"] = "login.html" }, want = { status = "waiting", code = "pending" } },
  { "a wrong password is the site's answer", phase = "login", site = { ["GET /wp-login.php"] = "login.html", ["POST /wp-login.php"] = "wrong.html" },
    want = { status = "rejected", code = "bad_credentials" } },
  { "fills the profile", phase = "profile",
    site = { ["GET /wp-admin/profile.php"] = "profile.html", ["POST /wp-admin/profile.php"] = "profile-saved.html" },
    want = { status = "done", link_profile = "{base}/author/ada_l/", fields = { first_name = "set", last_name = "set", website = "set", about = "set" },
      sent = { ["POST /wp-admin/profile.php"] = { first_name = "Ada", last_name = "Lovelace", url = "{website}",
        description = "I write notes on engines.\r\n\r\n<a href=\"https://x.com/ada_l\">https://x.com/ada_l</a>\r\n<a href=\"https://github.com/ada\">https://github.com/ada</a>" } } } },
  { "leaves a profile that has it all", phase = "profile", site = { ["GET /wp-admin/profile.php"] = "profile-again.html" },
    want = { status = "done", link_profile = "{base}/author/ada_l/", fields = { first_name = "kept", last_name = "kept", website = "kept", about = "kept" } } },
  { "author pages may live elsewhere", phase = "profile", task = { username = "ada.l" }, options = { author = "/people/" }, site = { ["GET /wp-admin/profile.php"] = "profile-again.html" },
    want = { status = "done", link_profile = "{base}/people/ada-l/" } },
  { "adds only the links that are missing", phase = "connect", task = { connect = { "x.com/ada_l", "x.com/ada?a=1&b=2" } },
    site = { ["GET /wp-admin/profile.php"] = "profile-again.html", ["POST /wp-admin/profile.php"] = "profile-saved.html" },
    want = { status = "done", link_profile = "{base}/author/ada_l/", sent = { ["POST /wp-admin/profile.php"] = {
      description = "I write notes on engines.\r\n\r\n<a href=\"https://x.com/ada_l\">https://x.com/ada_l</a>\r\n<a href=\"https://github.com/ada\">https://github.com/ada</a>\r\n<a href=\"https://x.com/ada?a=1&amp;b=2\">https://x.com/ada?a=1&amp;b=2</a>" } } } },
}

return driver
