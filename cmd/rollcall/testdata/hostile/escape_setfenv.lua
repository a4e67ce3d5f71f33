--- Reaches for setfenv.
-- ends: failed
-- says: setfenv does not exist here
-- strikes: language
return {
  api = 1, name = "escape_setfenv", version = "1.0.0", summary = "hostile", domains = { "escape-setfenv.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local x = setfenv(1, {})
    return outcome.rejected("closed", "went on")
  end,
}
