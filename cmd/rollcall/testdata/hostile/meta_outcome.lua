--- Changes what an outcome is.
-- ends: failed
-- says: outcome is read-only
-- strikes: language
return {
  api = 1, name = "meta_outcome", version = "1.0.0", summary = "hostile", domains = { "meta-outcome.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    outcome.rejected = outcome.done
    return outcome.rejected("closed", "went on")
  end,
}
