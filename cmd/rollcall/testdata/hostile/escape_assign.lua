--- Reaches for assign.
-- ends: failed
-- says: is assigned but not local
-- strikes: language
return {
  api = 1, name = "escape_assign", version = "1.0.0", summary = "hostile", domains = { "escape-assign.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    outcome = { done = function() end }
    return outcome.rejected("closed", "went on")
  end,
}
