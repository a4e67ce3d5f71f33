--- Formats the password as a number.
-- ends: failed
-- says: a number is needed
-- strikes: language
return {
  api = 1, name = "secret_number", version = "1.0.0", summary = "hostile", domains = { "secret-number.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local s = ("%d %x"):format(task.password, task.password)
    return outcome.rejected("closed", "went on")
  end,
}
