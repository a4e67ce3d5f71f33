--- Gives a table a metatable.
-- ends: failed
-- says: setmetatable does not exist here
-- strikes: language
return {
  api = 1, name = "meta_set", version = "1.0.0", summary = "hostile", domains = { "meta-set.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local t = setmetatable({}, { __gc = function() end, __mode = "k" })
    return outcome.rejected("closed", "went on")
  end,
}
