--- Fails with a megabyte of words.
-- ends: failed
-- says: xxxx
-- strikes: language
return {
  api = 1, name = "flood_error", version = "1.0.0", summary = "hostile", domains = { "flood-error.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    error(("x"):rep(1000000))
    return outcome.rejected("closed", "went on")
  end,
}
