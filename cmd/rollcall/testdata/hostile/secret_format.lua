--- Formats the password.
-- ends: failed
-- says: a secret can't be part of a text
-- strikes: language
return {
  api = 1, name = "secret_format", version = "1.0.0", summary = "hostile", domains = { "secret-format.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local s = ("%s"):format(task.password)
    return outcome.rejected("closed", "went on")
  end,
}
