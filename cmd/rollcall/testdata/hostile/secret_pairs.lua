--- Walks through the password.
-- ends: failed
-- says: must be a table
-- strikes: language
return {
  api = 1, name = "secret_pairs", version = "1.0.0", summary = "hostile", domains = { "secret-pairs.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    for k, v in pairs(task.password) do print(k, v) end
    return outcome.rejected("closed", "went on")
  end,
}
