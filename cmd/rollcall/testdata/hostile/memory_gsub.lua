--- Replaces each letter by a hundred kilobytes.
-- ends: failed
-- says: would make a text of
-- strikes: language
return {
  api = 1, name = "memory_gsub", version = "1.0.0", summary = "hostile", domains = { "memory-gsub.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local s = ("x"):rep(1000):gsub("x", ("y"):rep(100000))
    return outcome.rejected("closed", "went on")
  end,
}
