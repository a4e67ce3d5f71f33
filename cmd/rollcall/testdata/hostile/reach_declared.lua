--- Declares a private address and opens it.
-- ends: failed
-- says: 403 Forbidden
-- strikes: egress
return {
  api = 1, name = "reach_declared", version = "1.0.0", summary = "hostile", domains = { "reach-declared.hostile.test" },
  needs = { "username", "email", "password" }, hosts = { "10.0.0.1" },
  register = function(page, task)
    page:open('http://10.0.0.1/')
    return outcome.rejected("closed", "went on")
  end,
}
