--- A page that reaches for other hosts by font.
-- ends: failed
-- says: tried
-- strikes: egress
return {
  api = 1, name = "page_font", version = "1.0.0", summary = "hostile", domains = { "page-font.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/lure/font", { done = "#done" })
    return outcome.rejected("closed", page:text("#done"))
  end,
}
