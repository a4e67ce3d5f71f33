--- Gives a megabyte as the reason, with codes for terminals.
-- ends: failed
-- says: closed
-- strikes: language
return {
  api = 1, name = "flood_reason", version = "1.0.0", summary = "hostile", domains = { "flood-reason.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    return outcome.rejected("closed", "\27[2J\27]0;owned\7" .. ("x"):rep(1000000))
  end,
}
