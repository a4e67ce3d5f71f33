--- Reaches for loadfile.
-- ends: failed
-- says: loadfile does not exist here
-- strikes: language
return {
  api = 1, name = "escape_loadfile", version = "1.0.0", summary = "hostile", domains = { "escape-loadfile.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local x = loadfile("/etc/passwd")
    return outcome.rejected("closed", "went on")
  end,
}
