--- A page that reaches for other hosts by service.
-- ends: failed
-- says: tried
-- strikes: egress
return {
  api = 1, name = "page_service", version = "1.0.0", summary = "hostile", domains = { "page-service.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/lure/service", { done = "#done" })
    return outcome.rejected("closed", page:text("#done"))
  end,
}
