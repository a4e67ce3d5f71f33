--- Reaches for getfenv.
-- ends: failed
-- says: getfenv does not exist here
-- strikes: language
return {
  api = 1, name = "escape_getfenv", version = "1.0.0", summary = "hostile", domains = { "escape-getfenv.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    getfenv(0).x = 1
    return outcome.rejected("closed", "went on")
  end,
}
