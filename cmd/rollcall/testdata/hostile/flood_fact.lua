--- Learns one huge fact.
-- ends: failed
-- says: the limit is 4096
-- strikes: language
return {
  api = 1, name = "flood_fact", version = "1.0.0", summary = "hostile", domains = { "flood-fact.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    return outcome.done { facts = { x = ("x"):rep(100000) } }
  end,
}
