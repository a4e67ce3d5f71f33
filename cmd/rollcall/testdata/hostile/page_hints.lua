--- A page that reaches for other hosts by hints.
-- ends: failed
-- says: tried
-- strikes: egress
return {
  api = 1, name = "page_hints", version = "1.0.0", summary = "hostile", domains = { "page-hints.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/lure/hints", { done = "#done" })
    return outcome.rejected("closed", page:text("#done"))
  end,
}
