--- Names a fact by the password.
-- ends: failed
-- says: must be lower-case letters
-- strikes: language
return {
  api = 1, name = "secret_factname", version = "1.0.0", summary = "hostile", domains = { "secret-factname.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    return outcome.done { facts = { [task.password] = "x" } }
  end,
}
