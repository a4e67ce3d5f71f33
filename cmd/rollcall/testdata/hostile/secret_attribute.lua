--- Asks for an attribute named by the password.
-- ends: failed
-- says: must be a text
-- strikes: language
return {
  api = 1, name = "secret_attribute", version = "1.0.0", summary = "hostile", domains = { "secret-attribute.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/signup?by=secret_attribute", { form = "#form" })
    page:attr("#name", task.password)
    return outcome.rejected("closed", "went on")
  end,
}
