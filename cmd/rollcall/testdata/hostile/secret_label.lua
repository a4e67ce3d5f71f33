--- Names a sign by the password.
-- ends: failed
-- says: each sign has a label
-- strikes: language
return {
  api = 1, name = "secret_label", version = "1.0.0", summary = "hostile", domains = { "secret-label.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/signup?by=secret_label", { [task.password] = "#form" })
    return outcome.rejected("closed", "went on")
  end,
}
