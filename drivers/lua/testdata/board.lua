--- A small board: sign-up with a mailed link, sign-in, a profile with a picture.
local function signed_in(page)
  return page:exists("#logout")
end

---@type rollcall.Driver
local driver = {
  api = 1, name = "board", version = "1.2.0", domains = { "board.example.org" },
  summary = "a board for trying the host",
  needs = { "username", "email", "password" },
  wants = { "about", "website", "avatar", "location", "full_name" },
  limits = { about = { max = 40 }, avatar = { max_width = 64, max_height = 64, formats = { "png" } } },
  options = { greeting = { "hello", "said in the log" } },
  probe = { authoritative = true, settle = "1s" },
}

function driver.register(page, task)
  local seen, said = page:open("/join", { form = "#join", closed = "#closed" })
  if seen == "closed" then return outcome.rejected("closed", said) end
  page:fields { username = "#u", email = "#e", password = "#p" }
  seen, said = page:commit("#go", { mail = "#check-mail", refused = ".error" })
  if seen == "refused" then return outcome.refused(said, { { code = "already_exists", field = "username", "handle is gone" } }) end
  return outcome.done { facts = { greeting = task.options.greeting } }
end

function driver.confirm(page, task)
  page:open(mail.wait { link = { "/confirm" }, subject = "Welcome" }.link, { done = "#confirmed" })
  return outcome.done()
end

function driver.login(page, task)
  page:open("/login")
  page:fill("#u", task.username)
  page:fill("#p", task.password)
  local seen, said = page:click("#go", { home = "#logout", refused = ".error", code = "#otp" })
  if seen == "refused" then return outcome.rejected("bad_credentials", said) end
  if seen == "code" then
    page:fill("#otp", page:ask("otp_sms", "type the code that came by SMS"))
    page:click("#go", { home = "#logout" })
  end
  assert(signed_in(page), "signed in and yet not")
  return outcome.done()
end

function driver.profile(page, task)
  page:open("/settings", { form = "#settings" })
  local changed = page:fields { about = "#about", website = "#site", location = { "#where", optional = true } }
  if task.avatar then
    page:upload("#picture", task.avatar)
    changed = changed + 1
  end
  if changed > 0 then page:click("#save", { saved = "#saved" }) end
  return outcome.done { link_profile = page:url("/user/" .. text.url(task.username)) }
end

driver.tests = {
  { "a free name is registered and the mail announced",
    phase = "register",
    site = { ["GET /join"] = "join.html", ["POST /join"] = "<p id=check-mail>Check your mail" },
    want = { status = "done", commits = 1, facts = { greeting = "hello" },
      sent = { ["POST /join"] = { name = "{username}", mail = "{email}", pass = "{password}" } } } },
  { "a taken name is named",
    phase = "register",
    site = { ["GET /join"] = "join.html", ["POST /join"] = "<p class=error>This handle is gone" },
    want = { status = "rejected", code = "already_exists", field = "username", commits = 1 } },
  { "sign-up that is closed is no attempt",
    phase = "register",
    site = { ["GET /join"] = "<p id=closed>We are closed" },
    want = { status = "rejected", code = "closed", commits = 0 } },
  { "the mailed link confirms",
    phase = "confirm",
    site = { ["GET /confirm?k=1"] = "<p id=confirmed>Welcome" },
    mail = { { subject = "Welcome", body = "Go to {base}/confirm?k=1 now." } },
    want = { status = "done" } },
  { "a mail that is not there yet is waited for",
    phase = "confirm", site = { ["GET /"] = "<p>home" }, want = { status = "waiting", code = "pending" } },
  { "a code by SMS is asked for",
    phase = "login", human = { "424242" },
    site = { ["GET /login"] = "login.html", ["POST /login"] = { "<form method=post action=/login><input id=otp name=otp autocomplete=one-time-code><button id=go>Go</button></form>", "<a id=logout>Out</a>" } },
    want = { status = "done", sent = { ["POST /login"] = { otp = "424242" } } } },
  { "nobody there leaves the task to a person",
    phase = "login", human = { "skip" },
    site = { ["GET /login"] = "login.html", ["POST /login"] = "<form method=post action=/login><input id=otp name=otp autocomplete=one-time-code><button id=go>Go</button></form>" },
    want = { status = "blocked", code = "otp_sms" } },
  { "the profile is written and its address given",
    phase = "profile", task = { location = "Huế" },
    site = { ["GET /settings"] = "settings.html", ["POST /settings"] = { redirect = "/settings?saved" }, ["GET /settings?saved"] = "<p id=saved>Saved" },
    want = { status = "done", link_profile = "{base}/user/{username}", fields = { website = "set", location = "unsupported", avatar = "set" },
      sent = { ["POST /settings"] = { site = "{website}", picture = "avatar.png" } } } },
  { "the same on a site of one's own", phase = "login", live = "board", want = { status = "done" } },
}

return driver
