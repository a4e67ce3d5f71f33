--- Starter: name, e-mail and password; a profile form with a bio and a website.
local words = require "lib.words"

---@type rollcall.Driver
local driver = {
  api = 1, name = "starter", version = "0.1.0",
  summary = "what starter is, in one line",
  domains = { "starter.example" },
  needs = { "username", "email", "password" }, -- without these a task can't be run
  wants = { "about", "website" },              -- used when the task has them
  limits = {                                   -- what the site's own forms accept
    username = { min = 3, max = 20, chars = "A-Za-z0-9_" },
    password = { min = 8, classes = 2 },
    about = { max = 500, format = "text" },
  },
}

-- Fills the sign-up form. The commit is the one click that makes the account.
function driver.register(page, task)
  page:open("/register", { form = "#register" })
  page:fields { username = "label=Username", email = "label=Email address" }
  page:fill("label=Password", task.password)
  local seen, said = page:commit("role=button[name=Create account]", { welcome = "url=/welcome", refused = "role=alert" })
  if seen == "refused" then return outcome.refused(said, words) end
  return outcome.done()
end

function driver.login(page, task)
  page:open("/login", { form = "#login" })
  page:fill("label=Username", task.username)
  page:fill("label=Password", task.password)
  local seen, said = page:click("role=button[name=Sign in]", { inside = "url=/settings", refused = "role=alert" })
  if seen == "refused" then return outcome.rejected("bad_credentials", said) end
  return outcome.done()
end

-- Writes what is missing, and nothing twice.
function driver.profile(page, task)
  page:open("/settings", { form = "#profile" })
  local changed = page:fields {
    about = { "label=Bio", optional = true },
    website = { "label=Website", optional = true },
  }
  if changed > 0 then
    local seen, said = page:click("role=button[name=Save profile]", { saved = ".notice", refused = "role=alert" })
    if seen == "refused" then return outcome.refused(said, words) end
  end
  return outcome.done { link_profile = page:url("/u/" .. text.url(task.username)) }
end

-- Each test serves the pages in testdata/starter to a real browser.
driver.tests = {
  {
    "a sign-up is sent once, with what the task has", phase = "register",
    site = {
      ["GET /register"] = "register.html",
      ["POST /register"] = { redirect = "/welcome" },
      ["GET /welcome"] = "<h1>Welcome</h1>",
    },
    want = { status = "done", commits = 1, sent = { ["POST /register"] = { user = "{username}", pass = "{password}" } } },
  },
  {
    "a name that is taken is told apart", phase = "register",
    site = { ["GET /register"] = "register.html", ["POST /register"] = "taken.html" },
    want = { status = "rejected", code = "already_exists", commits = 1 },
  },
  {
    "a wrong password is no success", phase = "login",
    site = { ["GET /login"] = "login.html", ["POST /login"] = "refused.html" },
    want = { status = "rejected", code = "bad_credentials" },
  },
  {
    "the profile is written and its address is given back", phase = "profile",
    site = { ["GET /settings"] = "settings.html", ["POST /settings"] = "saved.html" },
    want = {
      status = "done", link_profile = "{base}/u/{username}",
      fields = { about = "set", website = "set" },
      sent = { ["POST /settings"] = { website = "{website}" } },
    },
  },
}

return driver
