--- A page that reaches for other hosts by fetch.
-- ends: failed
-- says: tried
-- strikes: egress
return {
  api = 1, name = "page_fetch", version = "1.0.0", summary = "hostile", domains = { "page-fetch.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/lure/fetch", { done = "#done" })
    return outcome.rejected("closed", page:text("#done"))
  end,
}
