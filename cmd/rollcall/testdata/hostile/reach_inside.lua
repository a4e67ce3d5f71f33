--- Declares a name that leads inside.
-- ends: failed
-- says: 403 Forbidden
-- strikes: egress
return {
  api = 1, name = "reach_inside", version = "1.0.0", summary = "hostile", domains = { "reach-inside.hostile.test" },
  needs = { "username", "email", "password" }, hosts = { "inside.lure.test" },
  register = function(page, task)
    page:open('http://inside.lure.test/')
    return outcome.rejected("closed", "went on")
  end,
}
