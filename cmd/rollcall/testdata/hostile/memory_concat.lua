--- Joins a list beyond the limit.
-- ends: failed
-- says: would make a text of
-- strikes: language
return {
  api = 1, name = "memory_concat", version = "1.0.0", summary = "hostile", domains = { "memory-concat.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local t = {}
    for i = 1, 2000 do t[i] = ("x"):rep(1000) end
    local s = table.concat(t, ("-"):rep(1000))
    return outcome.rejected("closed", "went on")
  end,
}
