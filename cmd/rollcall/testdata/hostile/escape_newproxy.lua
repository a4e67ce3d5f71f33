--- Reaches for newproxy.
-- ends: failed
-- says: newproxy does not exist here
-- strikes: language
return {
  api = 1, name = "escape_newproxy", version = "1.0.0", summary = "hostile", domains = { "escape-newproxy.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local x = newproxy(true)
    return outcome.rejected("closed", "went on")
  end,
}
