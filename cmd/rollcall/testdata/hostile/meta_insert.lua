--- Adds to what it may only read.
-- ends: failed
-- says: read-only
-- strikes: language
return {
  api = 1, name = "meta_insert", version = "1.0.0", summary = "hostile", domains = { "meta-insert.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    table.insert(task.connect, "http://10.0.0.1/")
    return outcome.rejected("closed", "went on")
  end,
}
