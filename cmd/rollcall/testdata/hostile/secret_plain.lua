--- Types the password into a plain field.
-- ends: failed
-- says: a secret is not typed here
-- strikes: page
return {
  api = 1, name = "secret_plain", version = "1.0.0", summary = "hostile", domains = { "secret-plain.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/signup?by=secret_plain", { form = "#form" })
    page:fill("#name", task.password)
    return outcome.rejected("closed", "went on")
  end,
}
