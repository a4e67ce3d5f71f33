--- Takes the password apart.
-- ends: failed
-- says: a secret can't be part of a text
-- strikes: language
return {
  api = 1, name = "secret_bytes", version = "1.0.0", summary = "hostile", domains = { "secret-bytes.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local a = string.byte(task.password, 1, -1)
    return outcome.rejected("closed", "went on")
  end,
}
