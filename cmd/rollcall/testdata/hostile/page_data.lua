--- A page that reaches for other hosts by data.
-- ends: failed
-- says: tried
-- strikes: egress
return {
  api = 1, name = "page_data", version = "1.0.0", summary = "hostile", domains = { "page-data.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/lure/data", { done = "#done" })
    return outcome.rejected("closed", page:text("#done"))
  end,
}
