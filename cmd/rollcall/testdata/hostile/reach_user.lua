--- Opens http://127.0.0.1@10.0.0.1/
-- ends: failed
-- says: a user name in it
-- strikes: egress
return {
  api = 1, name = "reach_user", version = "1.0.0", summary = "hostile", domains = { "reach-user.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open('http://127.0.0.1@10.0.0.1/')
    return outcome.rejected("closed", "went on")
  end,
}
