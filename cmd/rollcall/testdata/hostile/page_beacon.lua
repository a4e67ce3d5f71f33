--- A page that reaches for other hosts by beacon.
-- ends: failed
-- says: tried
-- strikes: egress
return {
  api = 1, name = "page_beacon", version = "1.0.0", summary = "hostile", domains = { "page-beacon.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/lure/beacon", { done = "#done" })
    return outcome.rejected("closed", page:text("#done"))
  end,
}
