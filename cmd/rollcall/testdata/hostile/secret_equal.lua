--- Compares the password with itself.
-- ends: failed
-- says: can't be compared
-- strikes: language
return {
  api = 1, name = "secret_equal", version = "1.0.0", summary = "hostile", domains = { "secret-equal.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    if task.password == mail then error("equal") end
    local a, b = task.password, task.facts.password or task.password
    local same = a == b, a < b
    return outcome.rejected("closed", "went on")
  end,
}
