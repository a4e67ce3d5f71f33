--- Changes what every text can do.
-- ends: failed
-- says: getmetatable does not exist here
-- strikes: language
return {
  api = 1, name = "meta_string", version = "1.0.0", summary = "hostile", domains = { "meta-string.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    getmetatable("").__index = function() return function() return "x" end end
    return outcome.rejected("closed", "went on")
  end,
}
