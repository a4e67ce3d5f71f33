--- Reaches for package.
-- ends: failed
-- says: package does not exist here
-- strikes: language
return {
  api = 1, name = "escape_package", version = "1.0.0", summary = "hostile", domains = { "escape-package.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local x = package.loaded.os.execute("id")
    return outcome.rejected("closed", "went on")
  end,
}
