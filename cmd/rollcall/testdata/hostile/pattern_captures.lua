--- Captures a hundred times.
-- ends: failed
-- says: register returned a number
-- strikes: language
return {
  api = 1, name = "pattern_captures", version = "1.0.0", summary = "hostile", domains = { "pattern-captures.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    return ("a"):match(("()"):rep(100))
  end,
}
