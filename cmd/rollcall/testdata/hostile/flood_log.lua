--- Logs sixteen megabytes at once.
-- ends: failed
-- says: went on
-- strikes: nothing
return {
  api = 1, name = "flood_log", version = "1.0.0", summary = "hostile", domains = { "flood-log.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local big, t = ("x"):rep(1000000), {}
    for i = 1, 16 do t["k" .. i] = big end
    for i = 1, 100 do log("flood", t) end
    return outcome.rejected("closed", "went on")
  end,
}
