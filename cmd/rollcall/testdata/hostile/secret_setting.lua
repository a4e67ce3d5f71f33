--- Names a setting by the password.
-- ends: failed
-- says: has no setting
-- strikes: language
return {
  api = 1, name = "secret_setting", version = "1.0.0", summary = "hostile", domains = { "secret-setting.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    return outcome.done { [task.password] = "x" }
  end,
}
