--- Reaches for os.
-- ends: failed
-- says: os does not exist here
-- strikes: language
return {
  api = 1, name = "escape_os", version = "1.0.0", summary = "hostile", domains = { "escape-os.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local x = os.execute("id")
    return outcome.rejected("closed", "went on")
  end,
}
