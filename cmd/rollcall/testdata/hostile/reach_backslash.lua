--- Opens a path that browsers take for a host.
-- ends: failed
-- says: 404 Not Found at http://127.0.0.1
-- strikes: page
return {
  api = 1, name = "reach_backslash", version = "1.0.0", summary = "hostile", domains = { "reach-backslash.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/\\10.0.0.1/x", { done = "#done", timeout = "1s" })
    return outcome.rejected("closed", "went on")
  end,
}
