--- Opens http://collect.example./
-- ends: failed
-- says: is not one of the site's
-- strikes: egress
return {
  api = 1, name = "reach_dots", version = "1.0.0", summary = "hostile", domains = { "reach-dots.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open('http://collect.example./')
    return outcome.rejected("closed", "went on")
  end,
}
