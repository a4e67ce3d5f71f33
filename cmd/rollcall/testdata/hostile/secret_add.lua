--- Counts with the password.
-- ends: failed
-- says: can only be passed to a verb
-- strikes: language
return {
  api = 1, name = "secret_add", version = "1.0.0", summary = "hostile", domains = { "secret-add.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local n = task.password + 1
    return outcome.rejected("closed", "went on")
  end,
}
