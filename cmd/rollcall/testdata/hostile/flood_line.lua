--- Prints a megabyte, a hundred times.
-- ends: failed
-- says: went on
-- strikes: nothing
return {
  api = 1, name = "flood_line", version = "1.0.0", summary = "hostile", domains = { "flood-line.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    for i = 1, 100 do print(("x"):rep(1000000)) end
    return outcome.rejected("closed", "went on")
  end,
}
