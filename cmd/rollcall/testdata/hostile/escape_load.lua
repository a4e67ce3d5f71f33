--- Reaches for load.
-- ends: failed
-- says: load does not exist here
-- strikes: language
return {
  api = 1, name = "escape_load", version = "1.0.0", summary = "hostile", domains = { "escape-load.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local x = load("return 1")()
    return outcome.rejected("closed", "went on")
  end,
}
