--- Makes up a code.
-- ends: failed
-- says: is no code of it
-- strikes: language
return {
  api = 1, name = "lie_code", version = "1.0.0", summary = "hostile", domains = { "lie-code.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    return outcome.rejected("approved", "x")
  end,
}
