--- Opens http://2130706433/
-- ends: failed
-- says: is not one of the site's
-- strikes: egress
return {
  api = 1, name = "reach_decimal", version = "1.0.0", summary = "hostile", domains = { "reach-decimal.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open('http://2130706433/')
    return outcome.rejected("closed", "went on")
  end,
}
