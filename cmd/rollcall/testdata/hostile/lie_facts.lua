--- Learns facts that are the runner's own.
-- ends: failed
-- says: must be lower-case letters
-- strikes: language
return {
  api = 1, name = "lie_facts", version = "1.0.0", summary = "hostile", domains = { "lie-facts.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    return outcome.done { facts = { _absent = "1", _totp = "x" } }
  end,
}
