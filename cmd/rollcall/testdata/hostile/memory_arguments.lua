--- Hands ever more arguments on.
-- ends: failed
-- says: memory_arguments.lua:9 more than 16384 values at once
-- strikes: language
return {
  api = 1, name = "memory_arguments", version = "1.0.0", summary = "hostile", domains = { "memory-arguments.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local function f(...) return f(1, ...) end
    f()
    return outcome.rejected("closed", "went on")
  end,
}
