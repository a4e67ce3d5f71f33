--- Reports the password as a note.
-- ends: failed
-- says: can't be a secret
-- strikes: language
return {
  api = 1, name = "secret_note", version = "1.0.0", summary = "hostile", domains = { "secret-note.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    return outcome.done { note = task.password }
  end,
}
