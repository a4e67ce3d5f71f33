--- Calls a text method on the password.
-- ends: failed
-- says: has no fields
-- strikes: language
return {
  api = 1, name = "secret_sub", version = "1.0.0", summary = "hostile", domains = { "secret-sub.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local s = task.password:sub(1, 1)
    return outcome.rejected("closed", "went on")
  end,
}
