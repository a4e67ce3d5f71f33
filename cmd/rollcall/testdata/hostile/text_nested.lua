--- HTML nested a hundred thousand levels deep.
-- ends: failed
-- says: went on
-- strikes: nothing
return {
  api = 1, name = "text_nested", version = "1.0.0", summary = "hostile", domains = { "text-nested.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    return outcome.rejected("closed", "went on " .. #text.to("markdown", ("<div>"):rep(100000) .. "x"))
  end,
}
