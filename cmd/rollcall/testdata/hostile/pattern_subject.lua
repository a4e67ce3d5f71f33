--- Searches a megabyte.
-- ends: failed
-- says: a pattern is searched in
-- strikes: language
return {
  api = 1, name = "pattern_subject", version = "1.0.0", summary = "hostile", domains = { "pattern-subject.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    return ("a"):rep(1000000):match("b")
  end,
}
