--- Reports the password as the e-mail address.
-- ends: failed
-- says: can't be a secret
-- strikes: language
return {
  api = 1, name = "secret_email", version = "1.0.0", summary = "hostile", domains = { "secret-email.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    return outcome.done { email = task.password }
  end,
}
