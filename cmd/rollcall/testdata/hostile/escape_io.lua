--- Reaches for io.
-- ends: failed
-- says: io does not exist here
-- strikes: language
return {
  api = 1, name = "escape_io", version = "1.0.0", summary = "hostile", domains = { "escape-io.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local x = io.open("/etc/passwd")
    return outcome.rejected("closed", "went on")
  end,
}
