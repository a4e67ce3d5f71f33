--- Asserts with the password as the reason.
-- ends: failed
-- says: assertion failed
-- strikes: language
return {
  api = 1, name = "secret_assert", version = "1.0.0", summary = "hostile", domains = { "secret-assert.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    assert(false, task.password)
    return outcome.rejected("closed", "went on")
  end,
}
