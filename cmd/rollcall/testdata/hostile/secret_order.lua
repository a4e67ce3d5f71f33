--- Sorts the password among guesses.
-- ends: failed
-- says: have no order
-- strikes: language
return {
  api = 1, name = "secret_order", version = "1.0.0", summary = "hostile", domains = { "secret-order.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    table.sort({ task.password, "a", "m" })
    return outcome.rejected("closed", "went on")
  end,
}
