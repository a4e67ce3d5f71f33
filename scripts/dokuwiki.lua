--- DokuWiki (2018 and later): own password, or one that comes by mail; bio and links on the page user:NAME.
local words = require "lib.words"
local append = require "lib.append"

---@type rollcall.Driver
local driver = {
  api = 1, name = "dokuwiki", version = "1.0.0", family = true,
  summary = "DokuWiki accounts, with a user page for bio and links",
  needs = { "username", "email", "password" },
  wants = { "full_name", "about", "website" },
  limits = {
    username = { min = 2, max = 40, chars = "a-z0-9_.-", lower = true },
    password = { min = 8, classes = 2 },
    about = { max = 4000, format = "dokuwiki" },
  },
  options = { user_page = { "user:", "namespace of the user pages, with its colon" } },
  permissions = { "secret_fields:[name=plugin__captcha]" },
}

local captcha = "[name=plugin__captcha]"
local refusal = "div.error"
local inside = "a[href*='do=logout']"
local pictures = { ".g-recaptcha", ".h-captcha", ".cf-turnstile" }

-- What the captcha plugin asks is answered by a person.
local function ask(page)
  if page:exists(captcha) then
    page:fill(captcha, page:ask("captcha", "Answer the question beside the box, or type the letters of the picture"))
  elseif page:exists(pictures) then
    page:human("captcha", "Solve the captcha of the form, and send nothing")
  end
end

-- What a refused sign-in means: wrong credentials, unless the site says otherwise.
local function not_inside(said)
  local why = outcome.refused(said, words)
  if why.code == "rate_limited" or why.code == "banned" or why.code == "captcha" then return why end
  return outcome.rejected("bad_credentials", said)
end

local function sign_in(page, name, password)
  local seen, said = page:open("/doku.php?id=start&do=login", { form = "#dw__login [name=p]", inside = inside })
  if seen == "inside" then return outcome.done() end
  page:fill("#dw__login [name=u]", name)
  page:fill("#dw__login [name=p]", password)
  seen, said = page:click("#dw__login [type=submit]", { inside = inside, refused = refusal })
  if seen == "refused" then return not_inside(said) end
  return outcome.done()
end

function driver.register(page, task)
  local seen, said = page:open("/doku.php?id=start&do=register", { form = "#dw__register [name=login]", closed = refusal })
  if seen == "closed" then return outcome.rejected("closed", said) end
  page:fields {
    username = "#dw__register [name=login]", email = "#dw__register [name=email]",
    full_name = { "#dw__register [name=fullname]", value = task.full_name or task.username },
  }
  local own = page:exists("#dw__register [name=pass]")
  if own then
    page:fill("#dw__register [name=pass]", task.password)
    page:fill("#dw__register [name=passchk]", task.password)
  end
  ask(page)
  seen, said = page:commit("#dw__register [type=submit]", { made = "div.success", refused = refusal })
  if seen == "refused" then return outcome.refused(said, words) end
  if own then return outcome.done() end
  return outcome.done { facts = { first_password = "by mail" } }
end

-- Where the first password comes by mail, it is exchanged for the task's own. A
-- second entry finds it exchanged already.
function driver.confirm(page, task)
  if task.facts.first_password ~= "by mail" then return driver.login(page, task) end
  local first = mail.wait { code = "(?i)" .. task.username:gsub("%.", "\\.") .. "\\s+[^\\s:]+\\s*:\\s*(\\S+)" }.code
  if sign_in(page, task.username, first).code == "bad_credentials" then return driver.login(page, task) end
  page:open("/doku.php?id=start&do=profile", { form = "#dw__register [name=newpass]" })
  page:fill("#dw__register [name=newpass]", task.password)
  page:fill("#dw__register [name=passchk]", task.password)
  if page:exists("#dw__register [name=oldpass]") then page:fill("#dw__register [name=oldpass]", first) end
  local seen, said = page:click("#dw__register [type=submit]", { changed = "div.success", refused = refusal })
  if seen == "refused" then return outcome.refused(said, words) end
  return outcome.done()
end

function driver.login(page, task)
  return sign_in(page, task.username, task.password)
end

-- Writes what the user page lacks. Returns what went wrong, or nil, and how much was added.
local function write(page, task, parts)
  local id = text.url(task.options.user_page .. task.username)
  local seen, said = page:open("/doku.php?do=edit&id=" .. id,
    { form = "textarea[name=wikitext]:not([readonly])", locked = "textarea[name=wikitext][readonly]", refused = refusal, signin = "#dw__login [name=p]" })
  if seen ~= "form" then return outcome.blocked("contact", "the account may not edit the page " .. task.options.user_page .. task.username) end
  local content, added = append.to(page:attr("textarea[name=wikitext]", "value"), parts)
  if added == 0 then -- gives the page's lock back
    page:open("/doku.php?do=cancel&id=" .. id, { shown = "a[href*='do=edit']" })
    return nil, 0
  end
  page:fill("textarea[name=wikitext]", content)
  ask(page)
  seen, said = page:click("[name='do[save]']", { saved = "a[href*='do=edit']", refused = refusal })
  if seen == "refused" then return outcome.refused(said, words), 0 end
  return nil, added
end

local function links(list)
  local parts = {}
  for _, link in ipairs(list) do
    parts[#parts + 1] = { url = text.links("text", { link }), add = text.links("dokuwiki", { link }) }
  end
  return parts
end

local function profile_page(page, task)
  return page:url("/doku.php?id=" .. task.options.user_page .. text.url(task.username))
end

function driver.profile(page, task)
  local parts = links(task.links)
  if task.about then table.insert(parts, 1, { add = task.about }) end
  local wrong, added = write(page, task, parts)
  if wrong then return wrong end
  local state, fields = added > 0 and "set" or "kept", {}
  if task.about then fields.about = state end
  if task.website then fields.website = state end
  return outcome.done { link_profile = profile_page(page, task), fields = fields }
end

function driver.connect(page, task)
  local wrong = write(page, task, links(task.connect))
  if wrong then return wrong end
  return outcome.done { link_profile = profile_page(page, task) }
end

return driver
