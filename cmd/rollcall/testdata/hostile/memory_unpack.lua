--- Unpacks a billion values.
-- ends: failed
-- says: at most 250
-- strikes: language
return {
  api = 1, name = "memory_unpack", version = "1.0.0", summary = "hostile", domains = { "memory-unpack.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local function f(...) return select("#", ...) end
    f(unpack({}, 1, 1e9))
    return outcome.rejected("closed", "went on")
  end,
}
