--- A page that reaches for other hosts by refresh.
-- ends: failed
-- says: tried
-- strikes: egress
return {
  api = 1, name = "page_refresh", version = "1.0.0", summary = "hostile", domains = { "page-refresh.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/lure/refresh", { done = "#done" })
    return outcome.rejected("closed", page:text("#done"))
  end,
}
