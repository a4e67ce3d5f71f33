--- Names what the compiler calls by itself.
-- ends: failed
-- says: went on
-- strikes: nothing
return {
  api = 1, name = "escape_host", version = "1.0.0", summary = "hostile", domains = { "escape-host.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local s = string["(concat)"] or text["(concat)"] or task.extra["(concat)"]
    assert(s == nil, "found it")
    return outcome.rejected("closed", "went on")
  end,
}
