--- Fills a table for ever.
-- ends: failed
-- says: of memory | took longer
-- strikes: memory
return {
  api = 1, name = "memory_table", version = "1.0.0", summary = "hostile", domains = { "memory-table.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local t = {}
    while true do t[#t + 1] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20 } end
  end,
}
