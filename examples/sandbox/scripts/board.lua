--- Sandbox Board: name, e-mail and password; a profile form; links in a BBCode signature.
local words = require "lib.words"

---@type rollcall.Driver
local driver = {
  api = 1, name = "board", version = "1.0.0",
  summary = "the sandbox's plain board",
  domains = { "board.sandbox.test" },
  needs = { "username", "email", "password" },
  wants = { "full_name", "location", "about", "website", "avatar" },
  limits = {
    username = { min = 3, max = 20, chars = "A-Za-z0-9_" },
    password = { min = 8, classes = 2 },
    about = { max = 500, format = "text" },
    avatar = { kb = 100, formats = { "png", "jpeg", "gif" } },
  },
  probe = { authoritative = true, settle = "30s" },
}

function driver.register(page, task)
  page:open("/register", { form = "#register" })
  page:fields {
    username = "label=Username", email = "label=Email address",
    full_name = { "label=Full name", optional = true }, location = { "label=Location", optional = true },
  }
  page:fill("label=Password", task.password)
  page:fill("label=Repeat password", task.password)
  if page:exists("#register [name=agree]") then page:agree("#register [name=agree]") end
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

-- Writes what differs; the notice of an earlier save is on the page already.
local function save(page, changed)
  if changed == 0 then return nil end
  local seen, said = page:click("role=button[name=Save profile]", { saved = ".notice", refused = ".errors" })
  if seen == "refused" then return outcome.refused(said, words) end
  return nil
end

function driver.profile(page, task)
  page:open("/settings/profile", { form = "#profile" })
  local changed = page:fields {
    about = { "label=Bio", optional = true }, website = { "label=Website", optional = true },
    location = { "label=Location", optional = true },
    signature = { "label=Signature", value = text.links("bbcode", task.links) },
  }
  if task.avatar and not page:exists("#profile img.avatar") then
    page:upload("label=Picture", task.avatar)
    changed = changed + 1
  end
  local refused = save(page, changed)
  if refused then return refused end
  return outcome.done { link_profile = page:url("/u/" .. text.url(task.username)) }
end

-- What the profile has from before, and the new ones.
local function all_links(task)
  local out, have = {}, {}
  for _, list in ipairs({ task.links, task.connect }) do
    for _, link in ipairs(list) do
      if not have[link] then
        have[link] = true
        out[#out + 1] = link
      end
    end
  end
  return out
end

function driver.connect(page, task)
  page:open("/settings/profile", { form = "#profile" })
  local changed = page:fields { signature = { "label=Signature", value = text.links("bbcode", all_links(task)) } }
  local refused = save(page, changed)
  if refused then return refused end
  return outcome.done { link_profile = page:url("/u/" .. text.url(task.username)) }
end

return driver
