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
  local first = mail.wait { code = "(?i)" .. task.username:gsub("%.", "\\.") .. "\\s+[^:\\n]+:\\s*(\\S+)" }.code
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

driver.tests = {
  { "signs up with a password of its own", phase = "register",
    site = { ["GET /doku.php?id=start&do=register"] = "register.html", ["POST /doku.php?id=start&do=register"] = "made.html" },
    want = { status = "done", commits = 1, fields = { username = "set", email = "set", full_name = "set" },
      sent = { ["POST /doku.php?id=start&do=register"] = { login = "{username}", pass = "{password}", passchk = "{password}", fullname = "Ada Lovelace", email = "{email}", save = "1" } } } },
  { "a taken name is the site's answer", phase = "register",
    site = { ["GET /doku.php?id=start&do=register"] = "register.html", ["POST /doku.php?id=start&do=register"] = "taken.html" },
    want = { status = "rejected", code = "already_exists", field = "username", commits = 1 } },
  { "a wiki without registration is closed", phase = "register",
    site = { ["GET /doku.php?id=start&do=register"] = "<h1>Start</h1><div class=error>Command disabled: register</div>" },
    want = { status = "rejected", code = "closed", commits = 0 } },
  { "a captcha is asked before anything is sent", phase = "register", human = { "skip" },
    site = { ["GET /doku.php?id=start&do=register"] = "<form id=dw__register method=post><input name=login><input name=fullname><input name=email><input name=plugin__captcha><button type=submit>Go</button></form>" },
    want = { status = "blocked", code = "captcha", commits = 0 } },
  { "a password by mail is exchanged for the task's own", phase = "confirm", facts = { first_password = "by mail" },
    mail = { { subject = "Your password", body = "Hi!\n\nUsername : ada_l\nPassword : grep-42-loom\n" } },
    site = {
      ["GET /doku.php?id=start&do=login"] = "login.html", ["POST /doku.php?id=start"] = "inside.html",
      ["GET /doku.php?id=start&do=profile"] = "<form id=dw__register method=post action='/doku.php?do=profile'><input type=password name=newpass><input type=password name=passchk><input type=password name=oldpass><button type=submit>Save</button></form>",
      ["POST /doku.php?do=profile"] = "<div class=success>User profile successfully updated.</div>",
    },
    want = { status = "done", sent = { ["POST /doku.php?id=start"] = { u = "{username}", p = "grep-42-loom" },
      ["POST /doku.php?do=profile"] = { newpass = "{password}", passchk = "{password}", oldpass = "grep-42-loom" } } } },
  { "signs in", phase = "login",
    site = { ["GET /doku.php?id=start&do=login"] = "login.html", ["POST /doku.php?id=start"] = "inside.html" },
    want = { status = "done", sent = { ["POST /doku.php?id=start"] = { u = "{username}", p = "{password}" } } } },
  { "a wrong password is the site's answer", phase = "login",
    site = { ["GET /doku.php?id=start&do=login"] = "login.html", ["POST /doku.php?id=start"] = "wrong.html" },
    want = { status = "rejected", code = "bad_credentials" } },
  { "writes bio and links on the user page", phase = "profile",
    site = { ["GET /doku.php?do=edit&id=user:ada_l"] = "edit.html", ["POST /doku.php?id=user:ada_l&do=edit"] = "shown.html" },
    want = { status = "done", link_profile = "{base}/doku.php?id=user:ada_l", fields = { about = "set", website = "set" },
      sent = { ["POST /doku.php?id=user:ada_l&do=edit"] = { wikitext = "I write **notes** on engines.\r\n\r\n  * [[https://ada.example.org/]]\r\n  * [[https://x.com/ada_l]]\r\n  * [[https://github.com/ada]]" } } } },
  { "leaves a page that has it all", phase = "profile", task = { social = { "x.com/ada_l" } },
    site = { ["GET /doku.php?do=edit&id=user:ada_l"] = "edit-again.html", ["GET /doku.php?do=cancel&id=user:ada_l"] = "shown.html" },
    want = { status = "done", link_profile = "{base}/doku.php?id=user:ada_l", fields = { about = "kept", website = "kept" } } },
  { "adds only the links that are missing", phase = "connect", task = { connect = { "x.com/ada_l", "x.com/ada" } },
    site = { ["GET /doku.php?do=edit&id=user:ada_l"] = "edit-again.html", ["POST /doku.php?id=user:ada_l&do=edit"] = "shown.html" },
    want = { status = "done", sent = { ["POST /doku.php?id=user:ada_l&do=edit"] = { wikitext = "I write **notes** on engines.\r\n\r\n  * [[https://ada.example.org/]]\r\n  * [[https://x.com/ada_l]]\r\n  * [[https://x.com/ada]]" } } } },
}

return driver
