--- Looks for the password on the page.
-- ends: failed
-- says: must be a text
-- strikes: language
return {
  api = 1, name = "secret_locator", version = "1.0.0", summary = "hostile", domains = { "secret-locator.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/signup?by=secret_locator", { form = "#form" })
    page:exists(task.password)
    return outcome.rejected("closed", "went on")
  end,
}
