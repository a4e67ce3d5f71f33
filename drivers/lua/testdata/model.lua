--- WordPress (5, 6): name and e-mail, then a link by mail to set the password; profile in wp-admin.
local words = require "lib.words"

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
  dismiss = { "#cookie-notice [id*=accept]", "role=button[name=Accept all]" },
}

function driver.login(page, task)
  page:open("/wp-login.php")
  page:fill("#user_login", task.username)
  page:fill("#user_pass", task.password)
  local seen, said = page:click("#wp-submit", { inside = "#wpadminbar", refused = "#login_error" })
  if seen == "refused" then return outcome.rejected("bad_credentials", said) end
  return outcome.done()
end

function driver.register(page, task)
  local seen, said = page:open("/wp-login.php?action=register", { form = "#registerform", closed = "url=registration=disabled" })
  if seen == "closed" then return outcome.rejected("closed", "sign-up is closed") end
  page:fields { username = "#user_login", email = "#user_email" }
  seen, said = page:commit("#wp-submit", { mail = "url=checkemail=registered", refused = "#login_error" })
  if seen == "refused" then return outcome.refused(said, words) end
  return outcome.done()
end

-- Entered after register, after a wait for the mail, and after a crash: the mail itself proves the account.
function driver.confirm(page, task)
  local seen, said = page:open(mail.wait { link = "action=rp" }.link, { form = "#resetpassform", old = "url=error=*key" })
  if seen == "old" then return driver.login(page, task) end
  page:fill("#pass1", task.password)
  seen, said = page:click("#wp-submit", { set = ".message.reset-pass", refused = "#login_error" })
  if seen == "refused" then return outcome.refused(said, words) end
  return driver.login(page, task)
end

function driver.profile(page, task)
  page:open("/wp-admin/profile.php")
  local changed = page:fields { first_name = "#first_name", last_name = "#last_name", website = "#url", about = "#description" }
  if changed > 0 then page:click("#submit", { saved = "#message.updated" }) end
  return outcome.done { link_profile = page:url(task.options.author .. text.url(task.username) .. "/") }
end

return driver
