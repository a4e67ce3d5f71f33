--- Joins a list that holds the password.
-- ends: failed
-- says: a secret can't be part of a text
-- strikes: language
return {
  api = 1, name = "secret_list", version = "1.0.0", summary = "hostile", domains = { "secret-list.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local s = table.concat({ "x", task.password })
    return outcome.rejected("closed", "went on")
  end,
}
