--- Doubles a text sixty times.
-- ends: failed
-- says: would make a text of
-- strikes: language
return {
  api = 1, name = "memory_double", version = "1.0.0", summary = "hostile", domains = { "memory-double.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local s = "x"
    for i = 1, 60 do s = s .. s end
    return outcome.rejected("closed", "went on")
  end,
}
