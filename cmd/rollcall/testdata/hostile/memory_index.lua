--- Sets an element at the far end of a table.
-- ends: failed
-- says: went on
-- strikes: nothing
return {
  api = 1, name = "memory_index", version = "1.0.0", summary = "hostile", domains = { "memory-index.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local t = {}
    t[67108862] = 1
    t[2 ^ 52] = 1
    t[1e308] = 1
    return outcome.rejected("closed", "went on")
  end,
}
