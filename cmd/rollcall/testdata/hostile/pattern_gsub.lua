--- A replacement that looks at everything from everywhere.
-- ends: failed
-- says: the phase took longer than its limit
-- strikes: time
return {
  api = 1, name = "pattern_gsub", version = "1.0.0", summary = "hostile", domains = { "pattern-gsub.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    return ("a"):rep(120000):gsub("(.-)(.-)(.-)b", "%1")
  end,
}
