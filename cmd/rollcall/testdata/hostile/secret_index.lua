--- Indexes the password.
-- ends: failed
-- says: has no fields
-- strikes: language
return {
  api = 1, name = "secret_index", version = "1.0.0", summary = "hostile", domains = { "secret-index.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local s = task.password.value or task.password[1]
    return outcome.rejected("closed", "went on")
  end,
}
