--- Changes an outcome that was made.
-- ends: failed
-- says: an outcome is read-only
-- strikes: language
return {
  api = 1, name = "meta_result", version = "1.0.0", summary = "hostile", domains = { "meta-result.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local o = outcome.rejected("closed", "x")
    o.status = "done"
    return outcome.rejected("closed", "went on")
  end,
}
