--- Reports the password as the user name.
-- ends: failed
-- says: can't be a secret
-- strikes: language
return {
  api = 1, name = "secret_username", version = "1.0.0", summary = "hostile", domains = { "secret-username.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    return outcome.done { username = task.password }
  end,
}
