--- Recurses for ever.
-- ends: failed
-- says: calls within calls
-- strikes: language
return {
  api = 1, name = "cpu_recursion", version = "1.0.0", summary = "hostile", domains = { "cpu-recursion.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local function f() return 1 + f() end
    f()
    return outcome.rejected("closed", "went on")
  end,
}
