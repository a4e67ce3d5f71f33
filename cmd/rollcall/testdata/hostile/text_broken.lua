--- HTML made of the ends of tags.
-- ends: failed
-- says: went on
-- strikes: nothing
return {
  api = 1, name = "text_broken", version = "1.0.0", summary = "hostile", domains = { "text-broken.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    return outcome.rejected("closed", "went on " .. #text.to("wikitext", ("</p><a href='"):rep(60000) .. "x"))
  end,
}
