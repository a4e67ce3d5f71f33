--- Fills the hash part of a table.
-- ends: failed
-- says: of memory | took longer
-- strikes: memory
return {
  api = 1, name = "memory_keys", version = "1.0.0", summary = "hostile", domains = { "memory-keys.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local t, i = {}, 0
    while true do
      i = i + 1
      t[("k"):rep(10000) .. i] = i
    end
  end,
}
