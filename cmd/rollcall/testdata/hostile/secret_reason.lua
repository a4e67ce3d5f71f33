--- Gives the password as the reason.
-- ends: failed
-- says: a reason is a text
-- strikes: language
return {
  api = 1, name = "secret_reason", version = "1.0.0", summary = "hostile", domains = { "secret-reason.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    return outcome.rejected("closed", task.password)
  end,
}
