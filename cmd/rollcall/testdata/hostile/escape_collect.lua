--- Reaches for collect.
-- ends: failed
-- says: collectgarbage does not exist here
-- strikes: language
return {
  api = 1, name = "escape_collect", version = "1.0.0", summary = "hostile", domains = { "escape-collect.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local x = collectgarbage("collect")
    return outcome.rejected("closed", "went on")
  end,
}
