--- First: the board of the sandbox, in as few words as a driver can have.
local words = require "lib.words"

---@type rollcall.Driver
local driver = {
  api = 1, name = "first", version = "1.0.0",
  summary = "the sandbox's board, for the quickstart",
  domains = { "board.sandbox.test" },
  needs = { "username", "email", "password" },
  wants = { "about", "website" },
  limits = { about = { max = 500, format = "text" } },
}

function driver.register(page, task)
  page:open("/register", { form = "#register" })
  page:fields { username = "label=Username", email = "label=Email address" }
  page:fill("label=Password", task.password)
  page:fill("label=Repeat password", task.password)
  local seen, said = page:commit("role=button[name=Create account]", { welcome = "url=/welcome", refused = "role=alert" })
  if seen == "refused" then return outcome.refused(said, words) end
  return outcome.done()
end

function driver.login(page, task)
  page:open("/login", { form = "#login-form" })
  page:fill("label=Username or email", task.username)
  page:fill("label=Password", task.password)
  local seen, said = page:click("#login-form button", { inside = "url=/settings/profile", refused = "role=alert" })
  if seen == "refused" then return outcome.rejected("bad_credentials", said) end
  return outcome.done()
end

function driver.profile(page, task)
  page:open("/settings/profile", { form = "#profile" })
  local changed = page:fields {
    about = "label=Bio", website = "label=Website",
    links = { "label=Signature", value = text.links("bbcode", task.links) },
  }
  if changed > 0 then
    local seen, said = page:click("role=button[name=Save profile]", { saved = ".notice", refused = ".errors" })
    if seen == "refused" then return outcome.refused(said, words) end
  end
  return outcome.done { link_profile = page:url("/u/" .. text.url(task.username)) }
end

driver.tests = {
  {
    "a sign-up is sent once", phase = "register",
    site = {
      ["GET /register"] = "register.html",
      ["POST /register"] = { redirect = "/welcome" },
      ["GET /welcome"] = "<h1>Welcome</h1>",
    },
    want = { status = "done", commits = 1, sent = { ["POST /register"] = { username = "{username}", password = "{password}" } } },
  },
  {
    "a name that is taken is told apart", phase = "register",
    site = { ["GET /register"] = "register.html", ["POST /register"] = "taken.html" },
    want = { status = "rejected", code = "already_exists", field = "username" },
  },
}

return driver
