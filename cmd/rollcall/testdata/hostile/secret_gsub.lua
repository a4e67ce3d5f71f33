--- Has the password come out of a replacement.
-- ends: failed
-- says: a secret can't be part of a text
-- strikes: language
return {
  api = 1, name = "secret_gsub", version = "1.0.0", summary = "hostile", domains = { "secret-gsub.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local s = ("x"):gsub("x", function() return task.password end)
    return outcome.rejected("closed", "went on")
  end,
}
