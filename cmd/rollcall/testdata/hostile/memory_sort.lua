--- Grows a table in the comparison of a sort.
-- ends: failed
-- says: of memory | took longer
-- strikes: memory
return {
  api = 1, name = "memory_sort", version = "1.0.0", summary = "hostile", domains = { "memory-sort.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local t, more = { 1, 2, 3 }, {}
    table.sort(t, function(a, b)
      while true do more[#more + 1] = ("x"):rep(100000) end
    end)
  end,
}
