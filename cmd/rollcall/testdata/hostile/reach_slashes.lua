--- Opens //169.254.169.254/latest/
-- ends: failed
-- says: is not one of the site's
-- strikes: egress
return {
  api = 1, name = "reach_slashes", version = "1.0.0", summary = "hostile", domains = { "reach-slashes.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open('//169.254.169.254/latest/')
    return outcome.rejected("closed", "went on")
  end,
}
