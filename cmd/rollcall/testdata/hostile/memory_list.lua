--- Links tables to each other.
-- ends: failed
-- says: of memory | took longer
-- strikes: memory
return {
  api = 1, name = "memory_list", version = "1.0.0", summary = "hostile", domains = { "memory-list.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local t = {}
    while true do t = { t, t } end
  end,
}
