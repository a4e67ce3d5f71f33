--- Changes the text library.
-- ends: failed
-- says: string is read-only
-- strikes: language
return {
  api = 1, name = "meta_library", version = "1.0.0", summary = "hostile", domains = { "meta-library.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    string.rep = function() return "x" end
    return outcome.rejected("closed", "went on")
  end,
}
