--- Every verb that the board does not use.
local driver = {
  api = 1, name = "verbs", version = "1.0.0", family = true, summary = "the other verbs",
  needs = { "username", "password" }, wants = { "cover" },
}

function driver.register(page, task)
  page:open("/form", { form = "#f" })
  page:type("#name", task.username)
  page:choose("#lang", { "xx", "Tiếng Việt" })
  page:check("#news", false)
  page:agree("#terms")
  page:hover("#hint", { hint = "#tip" })
  page:press("#name", "Tab")
  local seen = page:commit(function() page:click("#go") end, { ok = "#welcome" })
  if seen ~= "ok" then error("no sign") end
  page:note("cover", "hidden: shown to friends only")
  return outcome.done { username = task.username }
end

function driver.login(page, task)
  page:open("/totp")
  totp.enrol(page, "#secret")
  page:fill("#code", totp.code())
  page:click("#go", { home = "#home" })
  page:human("captcha", "click the picture")
  local link = page:attr("#home", "href")
  if not page:exists("#home") or page:text("#home") ~= "Home" then error("not at home") end
  return outcome.done { facts = { link = link, at = page:url() } }
end

function driver.verify(page, task)
  page:open("/u", { there = "#there", gone = "text=No such user" })
  return outcome.absent("no such user")
end

driver.tests = {
  { "the form is filled by hand and committed by a function", phase = "register", human = { "" },
    site = { ["GET /form"] = "form.html", ["GET /terms"] = "<p>Be kind", ["POST /form"] = "<p id=welcome>Welcome" },
    want = { status = "done", commits = 1, facts = { username = "{username}" }, fields = { cover = "hidden: shown to friends only" },
      sent = { ["POST /form"] = { name = "{username}", lang = "vi", terms = "on" } } } },
  { "terms that nobody accepts leave the task to a person", phase = "register",
    site = { ["GET /form"] = "form.html", ["GET /terms"] = "<p>Be kind" },
    want = { status = "blocked", code = "terms", commits = 0 } },
  { "the authenticator's secret goes to the runner", phase = "login", human = { "" },
    site = { ["GET /totp"] = "<form method=post action=/totp><p id=secret>JBSW Y3DP EHPK 3PXP</p><input id=code name=code autocomplete=one-time-code><button id=go>Go</button></form>",
      ["POST /totp"] = "<a id=home href=/me>Home</a>" },
    want = { status = "done", facts = { link = "{base}/me", at = "{base}/totp" }, sent = { ["POST /totp"] = { code = "{totp}" } } } },
  { "verify knows that there is no account", phase = "verify",
    site = { ["GET /u"] = { status = 404, body = "<p>No such user" } },
    want = { status = "absent" } },
  { "a site that is down is waited for", phase = "verify",
    site = { ["GET /u"] = { status = 503, body = "<p>Back soon" } },
    want = { status = "waiting", code = "site_down" } },
}

return driver
