--- Reaches for exit.
-- ends: failed
-- says: os does not exist here
-- strikes: language
return {
  api = 1, name = "escape_exit", version = "1.0.0", summary = "hostile", domains = { "escape-exit.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local x = os.exit(1)
    return outcome.rejected("closed", "went on")
  end,
}
