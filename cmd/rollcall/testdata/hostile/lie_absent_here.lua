--- Says absent in register.
-- ends: failed
-- says: outcome.absent is for verify
-- strikes: language
return {
  api = 1, name = "lie_absent_here", version = "1.0.0", summary = "hostile", domains = { "lie-absent-here.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    return outcome.absent("x")
  end,
}
