--- Calls a verb on something else.
-- ends: failed
-- says: is called with a colon
-- strikes: language
return {
  api = 1, name = "meta_self", version = "1.0.0", summary = "hostile", domains = { "meta-self.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local open = page.open
    open({}, "/")
    return outcome.rejected("closed", "went on")
  end,
}
