--- A page that reaches for other hosts by events.
-- ends: failed
-- says: tried
-- strikes: egress
return {
  api = 1, name = "page_events", version = "1.0.0", summary = "hostile", domains = { "page-events.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/lure/events", { done = "#done" })
    return outcome.rejected("closed", page:text("#done"))
  end,
}
