--- Waits for mail in register.
-- ends: failed
-- says: mail.wait is for confirm and login
-- strikes: language
return {
  api = 1, name = "secret_mail", version = "1.0.0", summary = "hostile", domains = { "secret-mail.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local m = mail.wait { link = true }
    return outcome.rejected("closed", "went on")
  end,
}
