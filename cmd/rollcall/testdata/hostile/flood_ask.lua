--- Asks a person a megabyte.
-- ends: parked
-- says: held for a person
-- strikes: nothing
return {
  api = 1, name = "flood_ask", version = "1.0.0", summary = "hostile", domains = { "flood-ask.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/signup?by=flood_ask")
    page:ask("contact", "\27[31m" .. ("x"):rep(1000000))
  end,
}
