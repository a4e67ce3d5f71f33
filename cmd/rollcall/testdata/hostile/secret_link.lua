--- Reports the password as the profile.
-- ends: failed
-- says: must be the absolute address
-- strikes: language
return {
  api = 1, name = "secret_link", version = "1.0.0", summary = "hostile", domains = { "secret-link.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    return outcome.done { link_profile = task.password }
  end,
}
