--- A page that reaches for other hosts by style.
-- ends: failed
-- says: tried
-- strikes: egress
return {
  api = 1, name = "page_style", version = "1.0.0", summary = "hostile", domains = { "page-style.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/lure/style", { done = "#done" })
    return outcome.rejected("closed", page:text("#done"))
  end,
}
