--- Types the password into a text area.
-- ends: failed
-- says: a secret is not typed here
-- strikes: page
return {
  api = 1, name = "secret_area", version = "1.0.0", summary = "hostile", domains = { "secret-area.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/signup?by=secret_area", { form = "#form" })
    page:type("#about", task.password)
    return outcome.rejected("closed", "went on")
  end,
}
