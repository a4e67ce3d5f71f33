--- A page that reaches for other hosts by rules.
-- ends: failed
-- says: tried
-- strikes: egress
return {
  api = 1, name = "page_rules", version = "1.0.0", summary = "hostile", domains = { "page-rules.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/lure/rules", { done = "#done" })
    return outcome.rejected("closed", page:text("#done"))
  end,
}
