--- Reaches for dump.
-- ends: failed
-- says: attempt to call
-- strikes: language
return {
  api = 1, name = "escape_dump", version = "1.0.0", summary = "hostile", domains = { "escape-dump.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local x = string.dump(function() end)
    return outcome.rejected("closed", "went on")
  end,
}
