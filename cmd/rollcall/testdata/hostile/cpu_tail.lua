--- Calls itself in tail position for ever.
-- ends: failed
-- says: the phase took longer than its limit
-- strikes: time
return {
  api = 1, name = "cpu_tail", version = "1.0.0", summary = "hostile", domains = { "cpu-tail.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local function f(n) return f(n + 1) end
    return f(1)
  end,
}
