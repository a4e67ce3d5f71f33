--- Never comes back from the function that a replacement calls.
-- ends: failed
-- says: the phase took longer than its limit
-- strikes: time
return {
  api = 1, name = "cpu_callback", version = "1.0.0", summary = "hostile", domains = { "cpu-callback.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    return ("x"):gsub("x", function() while true do end end)
  end,
}
