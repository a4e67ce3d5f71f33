--- Makes up a status.
-- ends: failed
-- says: it ends with an outcome
-- strikes: language
return {
  api = 1, name = "lie_status", version = "1.0.0", summary = "hostile", domains = { "lie-status.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    if task.id then return { status = "done", code = "x" } end
    return outcome.rejected("closed", "went on")
  end,
}
