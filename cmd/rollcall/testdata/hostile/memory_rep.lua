--- Asks for forty gigabytes of one letter.
-- ends: failed
-- says: would make a text of
-- strikes: language
return {
  api = 1, name = "memory_rep", version = "1.0.0", summary = "hostile", domains = { "memory-rep.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local s = ("x"):rep(40 * 1024 * 1024 * 1024)
    return outcome.rejected("closed", "went on")
  end,
}
