--- Formats the password in quotes.
-- ends: failed
-- says: a secret can't be part of a text
-- strikes: language
return {
  api = 1, name = "secret_quote", version = "1.0.0", summary = "hostile", domains = { "secret-quote.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local s = ("%q"):format(task.password)
    return outcome.rejected("closed", "went on")
  end,
}
