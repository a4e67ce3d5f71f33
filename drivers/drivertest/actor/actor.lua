--- Does what the option "do" says, as actor.go does.

---@type rollcall.Driver
local driver = {
  api = 1, name = "actor", version = "1.0.0", summary = "does what it is told", family = true,
  needs = { "username", "password" },
  options = { ["do"] = { "visit", "what to do" }, status = { "", "of the answer" }, code = { "", "of the answer" }, to = { "", "where to go" } },
}

local acts = {}

function acts.answer(_, task)
  local status, code = task.options.status, task.options.code
  if status == "done" then return outcome.done() end
  if status == "absent" then return outcome.absent("as told") end
  if status == "waiting" then return outcome.waiting(code, { reason = "as told", after = "90s" }) end
  return outcome[status](code, "as told")
end

function acts.facts(_, task)
  return outcome.done { facts = { seen = "seen " .. (task.facts.given or ""), given = "given" } }
end

function acts.where() return outcome.done { facts = { file = "actor.lua" } } end

function acts.await(page)
  page:open("/", { page = "h1" })
  page:await { never = "#never", timeout = "60s" }
end

function acts.missing(page)
  page:open("/", { page = "h1" })
  page:click("css=#twice")
end

acts["panic"] = function() error("the wizard fell over") end

acts["go"] = function(page, task) page:open(task.options.to, { page = "h1" }) end

function acts.follow(page)
  page:open("/", { page = "h1" })
  page:click("#away", { page = "#elsewhere", timeout = "3s" })
end

function acts.two(page)
  page:open("/", { page = "h1" })
  page:click("#show", { one = "#one", other = "#other" })
end

function acts.commit(page)
  page:open("/", { page = "h1" })
  page:commit("#send", { sent = "#sent" })
end

acts["commit twice"] = function(page)
  acts.commit(page)
  page:commit("#send", { sent = "#sent" })
end

function acts.secret(page, task)
  page:open("/", { page = "h1" })
  page:fill("#pass", task.password)
  local _, said = page:click("#send", { said = "#said" })
  log("the site said " .. said)
  return outcome.rejected("bad_credentials", said)
end

function acts.ask(page) page:ask("otp_sms", "which code?") end

function acts.visit(page) page:open("/", { page = "h1" }) end

local function act(page, task)
  return acts[task.options["do"]](page, task) or outcome.done()
end

function driver.register(page, task) return act(page, task) end

function driver.login(page, task) return act(page, task) end

function driver.verify(page, task) return act(page, task) end

return driver
