--- Sandbox Wizard: a client-side app. Steps by script, one of them in a shadow tree, the terms in an iframe.
local words = require "lib.words"

---@type rollcall.Driver
local driver = {
  api = 1, name = "wizard", version = "1.0.0",
  summary = "the sandbox's client-side app",
  domains = { "wizard.sandbox.test" },
  needs = { "username", "email", "password" },
  wants = { "full_name", "location", "about", "website", "avatar" },
  limits = {
    username = { min = 3, max = 20, chars = "A-Za-z0-9_" },
    password = { min = 8, classes = 2 },
    about = { max = 300, format = "text" },
    avatar = { kb = 100, formats = { "png", "jpeg", "gif" } },
  },
}

local continue = "role=button[name=Continue]"

function driver.register(page, task)
  page:open("/signup", { form = "label=Username" })
  page:fill("label=Username", task.username)
  page:fill("label=Email", task.email)
  page:fill("label=Password", task.password)
  local seen, said = page:click(continue, { about = "about-step >> label=Display name", refused = "role=alert" })
  if seen == "refused" then return outcome.refused(said, words) end
  page:fields {
    full_name = { "about-step >> label=Display name", optional = true },
    location = { "about-step >> label=Location", optional = true },
    about = { "about-step >> label=Bio", optional = true },
  }
  if task.avatar then
    seen, said = page:upload("about-step >> role=button[name=Choose a picture]", task.avatar,
      { shown = "about-step >> css=img[alt='Your picture']", refused = "about-step >> role=alert" })
    if seen == "refused" then page:note(task.avatar, "refused: " .. said) end
  end
  page:click("about-step >> " .. continue, { terms = "iframe >> label=I accept the terms of service" })
  page:agree("iframe >> label=I accept the terms of service", { ready = "css=#app button:not([disabled])" })
  page:click(continue, { review = "role=button[name=Create account]" })
  seen, said = page:commit("role=button[name=Create account]", { welcome = "url=/welcome", refused = "role=alert" })
  if seen == "refused" then return outcome.refused(said, words) end
  return outcome.done()
end

function driver.login(page, task)
  page:open("/login", { form = "label=Username" })
  page:fill("label=Username", task.username)
  page:fill("label=Password", task.password)
  local seen, said = page:click("role=button[name=Sign in]", { inside = "url=/profile", refused = "role=alert" })
  if seen == "refused" then return outcome.rejected("bad_credentials", said) end
  return outcome.done()
end

local function save(page, changed)
  if changed == 0 then return nil end
  local seen, said = page:click("role=button[name=Save]", { saved = "text=All changes saved.", refused = "role=alert" })
  if seen == "refused" then return outcome.refused(said, words) end
  return nil
end

local function links(list) return { "label=Links, one per line", value = text.links("text", list) } end

function driver.profile(page, task)
  page:open("/profile", { form = "role=button[name=Save]" })
  local refused = save(page, page:fields {
    full_name = { "label=Display name", optional = true }, location = { "label=Location", optional = true },
    about = { "label=Bio", optional = true }, website = { "label=Website", optional = true },
    links = links(task.links),
  })
  if refused then return refused end
  return outcome.done { link_profile = page:url("/people/" .. text.url(task.username)) }
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
  page:open("/profile", { form = "role=button[name=Save]" })
  local refused = save(page, page:fields { links = links(all_links(task)) })
  if refused then return refused end
  return outcome.done { link_profile = page:url("/people/" .. text.url(task.username)) }
end

return driver
