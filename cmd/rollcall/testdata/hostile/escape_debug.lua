--- Reaches for debug.
-- ends: failed
-- says: debug does not exist here
-- strikes: language
return {
  api = 1, name = "escape_debug", version = "1.0.0", summary = "hostile", domains = { "escape-debug.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local x = debug.getregistry()
    return outcome.rejected("closed", "went on")
  end,
}
