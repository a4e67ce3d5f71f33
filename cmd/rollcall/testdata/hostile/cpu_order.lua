--- Never comes back from the comparison of a sort.
-- ends: failed
-- says: the phase took longer than its limit
-- strikes: time
return {
  api = 1, name = "cpu_order", version = "1.0.0", summary = "hostile", domains = { "cpu-order.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    table.sort({ 1, 2, 3 }, function() while true do end end)
  end,
}
