--- Reaches for globals.
-- ends: failed
-- says: _G does not exist here
-- strikes: language
return {
  api = 1, name = "escape_globals", version = "1.0.0", summary = "hostile", domains = { "escape-globals.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    _G.outcome = nil
    return outcome.rejected("closed", "went on")
  end,
}
