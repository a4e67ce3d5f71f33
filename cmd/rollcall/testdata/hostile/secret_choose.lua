--- Chooses the password from a list.
-- ends: failed
-- says: must be
-- strikes: language
return {
  api = 1, name = "secret_choose", version = "1.0.0", summary = "hostile", domains = { "secret-choose.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/signup?by=secret_choose", { form = "#form" })
    page:choose("#kind", task.password)
    return outcome.rejected("closed", "went on")
  end,
}
