--- Logs the password in every place that takes one.
-- ends: failed
-- says: went on
-- strikes: nothing
return {
  api = 1, name = "secret_log", version = "1.0.0", summary = "hostile", domains = { "secret-log.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    print(task.password, { task.password })
    log(tostring(task.password), { password = task.password, [task.username] = task.password })
    return outcome.rejected("closed", "went on")
  end,
}
