--- Writes past the metatable.
-- ends: failed
-- says: rawset does not exist here
-- strikes: language
return {
  api = 1, name = "meta_raw", version = "1.0.0", summary = "hostile", domains = { "meta-raw.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    rawset(task, "username", "root")
    return outcome.rejected("closed", "went on")
  end,
}
