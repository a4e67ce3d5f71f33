--- Asks for a field that it does not declare.
-- ends: failed
-- says: is not declared
-- strikes: language
return {
  api = 1, name = "secret_undeclared", version = "1.0.0", summary = "hostile", domains = { "secret-undeclared.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local s = task.phone
    return outcome.rejected("closed", "went on")
  end,
}
