--- Looks behind what is read-only.
-- ends: failed
-- says: read-only
-- strikes: language
return {
  api = 1, name = "meta_next", version = "1.0.0", summary = "hostile", domains = { "meta-next.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    for k, v in pairs(outcome) do outcome[k] = nil end
    return outcome.rejected("closed", "went on")
  end,
}
