--- Measures the password.
-- ends: failed
-- says: can only be passed to a verb
-- strikes: language
return {
  api = 1, name = "secret_length", version = "1.0.0", summary = "hostile", domains = { "secret-length.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local n = #task.password
    return outcome.rejected("closed", "went on")
  end,
}
