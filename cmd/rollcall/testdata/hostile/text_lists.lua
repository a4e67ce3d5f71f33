--- Lists within lists within lists.
-- ends: failed
-- says: went on
-- strikes: nothing
return {
  api = 1, name = "text_lists", version = "1.0.0", summary = "hostile", domains = { "text-lists.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    return outcome.rejected("closed", "went on " .. #text.to("bbcode", ("<ul><li>"):rep(60000) .. "x"))
  end,
}
