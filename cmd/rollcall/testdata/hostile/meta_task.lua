--- Changes the task.
-- ends: failed
-- says: task is read-only
-- strikes: language
return {
  api = 1, name = "meta_task", version = "1.0.0", summary = "hostile", domains = { "meta-task.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    task.username = "root"
    return outcome.rejected("closed", "went on")
  end,
}
