--- Fills an editor with the password.
-- ends: failed
-- says: a secret is not typed here
-- strikes: page
return {
  api = 1, name = "secret_rich", version = "1.0.0", summary = "hostile", domains = { "secret-rich.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/signup?by=secret_rich", { form = "#form" })
    page:fill("#rich", task.password)
    return outcome.rejected("closed", "went on")
  end,
}
