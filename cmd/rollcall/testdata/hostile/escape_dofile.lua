--- Reaches for dofile.
-- ends: failed
-- says: dofile does not exist here
-- strikes: language
return {
  api = 1, name = "escape_dofile", version = "1.0.0", summary = "hostile", domains = { "escape-dofile.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local x = dofile("/etc/passwd")
    return outcome.rejected("closed", "went on")
  end,
}
