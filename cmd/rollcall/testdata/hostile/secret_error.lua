--- Fails with the password as the reason.
-- ends: failed
-- says: •••
-- strikes: language
return {
  api = 1, name = "secret_error", version = "1.0.0", summary = "hostile", domains = { "secret-error.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    error(task.password)
  end,
}
