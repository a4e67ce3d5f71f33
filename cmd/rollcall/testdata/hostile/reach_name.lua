--- Opens https://collect.example/?x=1
-- ends: failed
-- says: is not one of the site's
-- strikes: egress
return {
  api = 1, name = "reach_name", version = "1.0.0", summary = "hostile", domains = { "reach-name.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open('https://collect.example/?x=1')
    return outcome.rejected("closed", "went on")
  end,
}
