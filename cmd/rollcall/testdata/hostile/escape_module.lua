--- Reaches for module.
-- ends: failed
-- says: module does not exist here
-- strikes: language
return {
  api = 1, name = "escape_module", version = "1.0.0", summary = "hostile", domains = { "escape-module.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local x = module("x")
    return outcome.rejected("closed", "went on")
  end,
}
