--- Asks for the password of the mailbox.
-- ends: failed
-- says: belongs to the mailbox
-- strikes: language
return {
  api = 1, name = "secret_mailbox", version = "1.0.0", summary = "hostile", domains = { "secret-mailbox.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local s = task.app_password
    return outcome.rejected("closed", "went on")
  end,
}
