--- A page that reaches for other hosts by ping.
-- ends: failed
-- says: tried
-- strikes: egress
return {
  api = 1, name = "page_ping", version = "1.0.0", summary = "hostile", domains = { "page-ping.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/lure/ping", { done = "#done" })
    return outcome.rejected("closed", page:text("#done"))
  end,
}
