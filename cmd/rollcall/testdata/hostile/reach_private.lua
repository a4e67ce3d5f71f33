--- Opens http://10.0.0.1/
-- ends: failed
-- says: is not one of the site's
-- strikes: egress
return {
  api = 1, name = "reach_private", version = "1.0.0", summary = "hostile", domains = { "reach-private.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open('http://10.0.0.1/')
    return outcome.rejected("closed", "went on")
  end,
}
