--- A declared host that redirects inside.
-- ends: failed
-- says: the host 10.0.0.1 is not one of the site's
-- strikes: egress
return {
  api = 1, name = "reach_redirect", version = "1.0.0", summary = "hostile", domains = { "reach-redirect.hostile.test" },
  needs = { "username", "email", "password" }, hosts = { "twin.lure.test" },
  register = function(page, task)
    page:open('http://twin.lure.test/redirect?to=http://10.0.0.1/')
    return outcome.rejected("closed", "went on")
  end,
}
