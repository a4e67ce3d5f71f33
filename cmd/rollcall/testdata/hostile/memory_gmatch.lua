--- Collects every match of every text.
-- ends: failed
-- says: of memory | took longer
-- strikes: memory
return {
  api = 1, name = "memory_gmatch", version = "1.0.0", summary = "hostile", domains = { "memory-gmatch.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local all, s = {}, ("ab"):rep(60000)
    while true do
      for m in s:gmatch("a") do all[#all + 1] = { m } end
    end
  end,
}
