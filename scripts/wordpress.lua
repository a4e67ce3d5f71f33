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

return driver
