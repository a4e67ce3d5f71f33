--- Fills a profile field with the password.
-- ends: failed
-- says: a secret is not typed here
-- strikes: page
return {
  api = 1, name = "secret_fields", version = "1.0.0", summary = "hostile", domains = { "secret-fields.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/signup?by=secret_fields", { form = "#form" })
    page:fields { about = { "#about", value = task.password } }
    return outcome.rejected("closed", "went on")
  end,
}
