--- Loops for ever.
-- ends: failed
-- says: the phase took longer than its limit
-- strikes: time
return {
  api = 1, name = "cpu_loop", version = "1.0.0", summary = "hostile", domains = { "cpu-loop.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    while true do end
  end,
}
