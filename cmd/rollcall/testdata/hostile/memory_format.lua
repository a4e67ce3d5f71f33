--- Asks for a number as wide as the memory.
-- ends: failed
-- says: string.format
-- strikes: language
return {
  api = 1, name = "memory_format", version = "1.0.0", summary = "hostile", domains = { "memory-format.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local s = ("%999999999d"):format(1)
    return outcome.rejected("closed", "went on")
  end,
}
