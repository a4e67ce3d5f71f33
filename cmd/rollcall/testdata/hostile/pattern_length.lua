--- Searches with a pattern of ten thousand bytes.
-- ends: failed
-- says: a pattern has
-- strikes: language
return {
  api = 1, name = "pattern_length", version = "1.0.0", summary = "hostile", domains = { "pattern-length.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    return ("a"):match(("a?"):rep(5000))
  end,
}
