--- Opens a hundred kilobytes.
-- ends: failed
-- says: open(/xxxx
-- strikes: page
return {
  api = 1, name = "flood_path", version = "1.0.0", summary = "hostile", domains = { "flood-path.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/" .. ("x"):rep(100000))
    return outcome.rejected("closed", "went on")
  end,
}
