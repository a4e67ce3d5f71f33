--- Prints for ever.
-- ends: failed
-- says: the phase took longer than its limit
-- strikes: output
return {
  api = 1, name = "flood_print", version = "1.0.0", summary = "hostile", domains = { "flood-print.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    while true do print("flood", 1, true, nil) end
  end,
}
