--- Presses the password as a key.
-- ends: failed
-- says: must be a text
-- strikes: language
return {
  api = 1, name = "secret_press", version = "1.0.0", summary = "hostile", domains = { "secret-press.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/signup?by=secret_press", { form = "#form" })
    page:press("#name", task.password)
    return outcome.rejected("closed", "went on")
  end,
}
