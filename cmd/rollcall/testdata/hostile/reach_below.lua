--- A name below its own domain that leads inside.
-- ends: failed
-- says: 403 Forbidden
-- strikes: egress
return {
  api = 1, name = "reach_below", version = "1.0.0", summary = "hostile", domains = { "reach-below.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open('http://inside.reach-below.hostile.test/')
    return outcome.rejected("closed", "went on")
  end,
}
