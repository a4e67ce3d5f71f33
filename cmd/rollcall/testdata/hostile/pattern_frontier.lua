--- Classes that never close.
-- ends: failed
-- says: is wrong
-- strikes: language
return {
  api = 1, name = "pattern_frontier", version = "1.0.0", summary = "hostile", domains = { "pattern-frontier.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    return ("a"):match("[a-%")
  end,
}
