--- Clicks on a hundred kilobytes.
-- ends: failed
-- says: click(xxxx
-- strikes: page
return {
  api = 1, name = "flood_locator", version = "1.0.0", summary = "hostile", domains = { "flood-locator.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/signup?by=flood_locator")
    page:click(("x"):rep(100000))
    return outcome.rejected("closed", "went on")
  end,
}
