--- A pattern that tries every way to fail.
-- ends: failed
-- says: the phase took longer than its limit
-- strikes: time
return {
  api = 1, name = "pattern_backtrack", version = "1.0.0", summary = "hostile", domains = { "pattern-backtrack.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    return ("a"):rep(100000):match(".-.-.-.-.-b")
  end,
}
