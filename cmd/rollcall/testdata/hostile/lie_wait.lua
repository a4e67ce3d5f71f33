--- Waits for ever.
-- ends: waiting
-- says: pending
-- strikes: nothing
return {
  api = 1, name = "lie_wait", version = "1.0.0", summary = "hostile", domains = { "lie-wait.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    return outcome.waiting("pending", { after = "720h", reason = "soon" })
  end,
}
