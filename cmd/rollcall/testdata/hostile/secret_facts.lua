--- Reports the password as a user name, by way of the facts.
-- ends: failed
-- says: can't be a secret
-- strikes: language
return {
  api = 1, name = "secret_facts", version = "1.0.0", summary = "hostile", domains = { "secret-facts.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    return outcome.done { facts = { username = task.password } }
  end,
}
