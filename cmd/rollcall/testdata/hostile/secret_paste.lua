--- Pastes the password into an editor.
-- ends: failed
-- says: must be a text
-- strikes: language
return {
  api = 1, name = "secret_paste", version = "1.0.0", summary = "hostile", domains = { "secret-paste.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/signup?by=secret_paste", { form = "#form" })
    page:paste("#rich", task.password)
    return outcome.rejected("closed", "went on")
  end,
}
