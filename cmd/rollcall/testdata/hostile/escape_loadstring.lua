--- Reaches for loadstring.
-- ends: failed
-- says: loadstring does not exist here
-- strikes: language
return {
  api = 1, name = "escape_loadstring", version = "1.0.0", summary = "hostile", domains = { "escape-loadstring.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local x = loadstring("return 1")()
    return outcome.rejected("closed", "went on")
  end,
}
