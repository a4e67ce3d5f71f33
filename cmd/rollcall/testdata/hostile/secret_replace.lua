--- Has the password come out of a table of replacements.
-- ends: failed
-- says: a secret can't be part of a text
-- strikes: language
return {
  api = 1, name = "secret_replace", version = "1.0.0", summary = "hostile", domains = { "secret-replace.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local s = ("x"):gsub("x", { x = task.password })
    return outcome.rejected("closed", "went on")
  end,
}
