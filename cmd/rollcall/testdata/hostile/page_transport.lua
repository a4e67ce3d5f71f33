--- A page that reaches for other hosts by transport.
-- ends: failed
-- says: tried
-- strikes: egress
return {
  api = 1, name = "page_transport", version = "1.0.0", summary = "hostile", domains = { "page-transport.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/lure/transport", { done = "#done" })
    return outcome.rejected("closed", page:text("#done"))
  end,
}
