--- Keeps functions that keep functions.
-- ends: failed
-- says: of memory | took longer
-- strikes: memory
return {
  api = 1, name = "memory_closures", version = "1.0.0", summary = "hostile", domains = { "memory-closures.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local f = function() end
    local all = {}
    while true do
      local g = f
      f = function() return g end
      all[#all + 1] = f
    end
  end,
}
