--- Sandbox Guarded: before its sign-up form it asks a person for the word in a picture.
local words = require "lib.words"

---@type rollcall.Driver
local driver = {
  api = 1, name = "guarded", version = "1.0.0",
  summary = "the sandbox's site that asks for a person at sign-up",
  domains = { "guarded.sandbox.test" },
  needs = { "username", "email", "password" },
  wants = { "about", "website" },
  limits = {
    username = { min = 3, max = 24, chars = "a-z0-9", lower = true },
    password = { min = 8, classes = 2 },
    about = { max = 2000, format = "text" },
  },
  permissions = { "secret_fields:#word" },
}

function driver.register(page, task)
  local seen, said = page:open("/join", { form = "#join", challenge = "#challenge" })
  if seen == "challenge" then
    page:fill("#word", page:ask("captcha", "Type the word in the picture"))
    seen, said = page:click("#challenge button", { form = "#join", wrong = "role=alert" })
    if seen == "wrong" then return outcome.blocked("captcha", said) end
  end
  page:fields { username = "label=Username", email = "label=Email" }
  page:fill("label=Password", task.password)
  seen, said = page:commit("role=button[name=Join]", { welcome = "url=/welcome", refused = "role=alert" })
  if seen == "refused" then return outcome.refused(said, words) end
  return outcome.done()
end

function driver.login(page, task)
  page:open("/login", { form = "#signin" })
  page:fill("label=Username", task.username)
  page:fill("label=Password", task.password)
  local seen, said = page:click("#signin button", { inside = "url=/me", refused = "role=alert" })
  if seen == "refused" then return outcome.rejected("bad_credentials", said) end
  return outcome.done()
end

function driver.profile(page, task)
  page:open("/me", { form = "#me" })
  local changed = page:fields { about = { "label=About you", optional = true }, website = { "label=Website", optional = true } }
  if changed > 0 then
    local seen, said = page:click("role=button[name=Update]", { saved = "role=status", refused = "role=alert" })
    if seen == "refused" then return outcome.refused(said, words) end
  end
  return outcome.done { link_profile = page:url("/members/" .. text.url(task.username)) }
end

return driver
