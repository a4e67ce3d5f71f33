--- The bench site: name, e-mail and password, which sign in at once; a profile form with a picture.
local words = require "lib.words"

---@type rollcall.Driver
local driver = {
  api = 1, name = "board", version = "1.0.0",
  summary = "the bench site",
  domains = { "board.sandbox.test" },
  needs = { "username", "email", "password" },
  wants = { "full_name", "location", "about", "website", "avatar" },
  limits = {
    username = { min = 3, max = 20, chars = "A-Za-z0-9_" },
    password = { min = 8, classes = 2 },
    about = { max = 500, format = "text" },
    avatar = { kb = 100, formats = { "png", "jpeg", "gif" } },
  },
}

function driver.register(page, task)
  page:open("/register", { form = "#register" })
  page:fields {
    username = "label=Username", email = "label=Email address",
    full_name = { "label=Full name", optional = true }, location = { "label=Location", optional = true },
  }
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

-- The sign-up signs in: where the page shows it, the account is proved. After a crash the page is gone.
function driver.confirm(page, task)
  if page:exists("text=Edit profile") then return outcome.done() end
  return driver.login(page, task)
end

function driver.profile(page, task)
  page:open("/settings/profile", { form = "#profile" })
  page:fields {
    about = "label=Bio", website = "label=Website",
    signature = { "label=Signature", value = text.links("bbcode", task.links) },
  }
  if task.avatar then page:upload("label=Picture", task.avatar) end
  local seen, said = page:click("role=button[name=Save profile]", { saved = ".notice", refused = ".errors" })
  if seen == "refused" then return outcome.refused(said, words) end
  return outcome.done { link_profile = page:url("/u/" .. text.url(task.username)) }
end

return driver
