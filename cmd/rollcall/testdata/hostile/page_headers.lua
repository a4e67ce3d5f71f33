--- A page that reaches for other hosts by headers.
-- ends: failed
-- says: tried
-- strikes: egress
return {
  api = 1, name = "page_headers", version = "1.0.0", summary = "hostile", domains = { "page-headers.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/lure/headers", { done = "#done" })
    return outcome.rejected("closed", page:text("#done"))
  end,
}
