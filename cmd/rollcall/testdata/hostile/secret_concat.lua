--- Joins the password to a text.
-- ends: failed
-- says: a secret can't be part of a text
-- strikes: language
return {
  api = 1, name = "secret_concat", version = "1.0.0", summary = "hostile", domains = { "secret-concat.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local s = "x" .. task.password
    return outcome.rejected("closed", "went on")
  end,
}
