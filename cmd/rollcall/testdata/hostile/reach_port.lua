--- Opens http://127.0.0.1:80/
-- ends: failed
-- says: is not one of the site's
-- strikes: egress
return {
  api = 1, name = "reach_port", version = "1.0.0", summary = "hostile", domains = { "reach-port.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open('http://127.0.0.1:80/')
    return outcome.rejected("closed", "went on")
  end,
}
