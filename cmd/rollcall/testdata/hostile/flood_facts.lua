--- Learns a thousand facts.
-- ends: failed
-- says: more than 64 facts
-- strikes: language
return {
  api = 1, name = "flood_facts", version = "1.0.0", summary = "hostile", domains = { "flood-facts.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local t = {}
    for i = 1, 1000 do t["f" .. i] = "x" end
    return outcome.done { facts = t }
  end,
}
