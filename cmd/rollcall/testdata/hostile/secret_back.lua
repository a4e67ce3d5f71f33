--- Reads back the field that it filled.
-- ends: failed
-- says: what a secret field holds is never read
-- strikes: page
return {
  api = 1, name = "secret_back", version = "1.0.0", summary = "hostile", domains = { "secret-back.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/signup?by=secret_back", { form = "#form" })
    page:fill("#password", task.password)
    return outcome.rejected("closed", page:text("#password") .. page:attr("#password", "value"))
  end,
}
