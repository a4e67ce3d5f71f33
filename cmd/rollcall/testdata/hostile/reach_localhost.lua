--- Opens http://localhost/
-- ends: failed
-- says: is not one of the site's
-- strikes: egress
return {
  api = 1, name = "reach_localhost", version = "1.0.0", summary = "hostile", domains = { "reach-localhost.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open('http://localhost/')
    return outcome.rejected("closed", "went on")
  end,
}
