--- Balanced brackets that never balance.
-- ends: failed
-- says: the phase took longer than its limit
-- strikes: time
return {
  api = 1, name = "pattern_balance", version = "1.0.0", summary = "hostile", domains = { "pattern-balance.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    return ("("):rep(120000):gsub("%b().-%b().-x", "")
  end,
}
