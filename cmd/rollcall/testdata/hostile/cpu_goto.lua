--- Jumps in a circle.
-- ends: failed
-- says: the phase took longer than its limit
-- strikes: time
return {
  api = 1, name = "cpu_goto", version = "1.0.0", summary = "hostile", domains = { "cpu-goto.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    ::again::
    goto again
  end,
}
