--- Reaches for pcall.
-- ends: failed
-- says: pcall does not exist here
-- strikes: language
return {
  api = 1, name = "escape_pcall", version = "1.0.0", summary = "hostile", domains = { "escape-pcall.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local x = pcall(function() while true do end end)
    return outcome.rejected("closed", "went on")
  end,
}
