--- Keeps megabytes of different text.
-- ends: failed
-- says: of memory
-- strikes: memory
return {
  api = 1, name = "memory_strings", version = "1.0.0", summary = "hostile", domains = { "memory-strings.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local t, s = {}, ("x"):rep(1000000)
    while true do t[#t + 1] = s .. #t end
  end,
}
